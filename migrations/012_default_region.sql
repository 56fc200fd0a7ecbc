-- Which country an app's numbers belong to that come without their country's code.

ALTER TABLE apps ADD COLUMN IF NOT EXISTS default_region text;
ALTER TABLE apps DROP CONSTRAINT IF EXISTS apps_default_region_check;
ALTER TABLE apps ADD CONSTRAINT apps_default_region_check CHECK (default_region ~ '^[A-Z]{2}$');
COMMENT ON COLUMN apps.default_region IS 'ISO 3166-1 alpha-2';

-- An app's own filters need it.
GRANT SELECT (default_region) ON apps TO cti_rest;
