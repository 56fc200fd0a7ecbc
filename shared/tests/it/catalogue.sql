-- What a schema consists of, one line an item: the same as comparing two dumps, without needing pg_dump.
WITH relations AS (
    SELECT oid, relname, relkind, relrowsecurity, relforcerowsecurity, relacl, reloptions
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
)
SELECT line FROM (
    SELECT format('relation %s kind=%s rls=%s/%s acl=%s options=%s',
                  relname, relkind, relrowsecurity, relforcerowsecurity, relacl, reloptions) AS line
    FROM relations
    UNION ALL
    SELECT format('column %s.%s #%s %s not_null=%s default=%s identity=%s generated=%s acl=%s',
                  relname, attname, attnum, format_type(atttypid, atttypmod), attnotnull,
                  pg_get_expr(adbin, adrelid), attidentity, attgenerated, attacl)
    FROM relations
    JOIN pg_attribute ON attrelid = relations.oid
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p', 'v', 'm')
    UNION ALL
    SELECT format('constraint %s.%s %s', relname, conname, pg_get_constraintdef(pg_constraint.oid))
    FROM relations JOIN pg_constraint ON conrelid = relations.oid
    UNION ALL
    SELECT format('index %s', pg_get_indexdef(indexrelid))
    FROM relations JOIN pg_index ON indrelid = relations.oid
    UNION ALL
    SELECT format('trigger %s', pg_get_triggerdef(pg_trigger.oid))
    FROM relations JOIN pg_trigger ON tgrelid = relations.oid WHERE NOT tgisinternal
    UNION ALL
    SELECT format('policy %s.%s %s %s using=%s check=%s', tablename, policyname, roles, cmd, qual, with_check)
    FROM pg_policies WHERE schemaname = 'public'
    UNION ALL
    SELECT format('function %s', pg_get_functiondef(oid))
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind IN ('f', 'p')
    UNION ALL
    SELECT format('view %s %s', relname, pg_get_viewdef(oid)) FROM relations WHERE relkind IN ('v', 'm')
    UNION ALL
    SELECT format('enum %s %s', typname, array_agg(enumlabel ORDER BY enumsortorder))
    FROM pg_type JOIN pg_enum ON enumtypid = pg_type.oid GROUP BY typname
    UNION ALL
    SELECT format('extension %s', extname) FROM pg_extension
    WHERE extname <> 'plpgsql'
    UNION ALL
    SELECT format('comment %s %s', pg_describe_object(classoid, objoid, objsubid), description)
    FROM pg_description JOIN relations ON objoid = relations.oid
) AS items
ORDER BY line
