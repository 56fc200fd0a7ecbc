//! Phone numbers: one spelling of each, E.164, so that the same number is found however it was written.
//!
//! Dialpad sends E.164, and that is taken as it is; the library and its tables are touched only for what was written in
//! another way. What is no number of the public network (`blocked`, a SIP address, a short code) stays as it is.

use std::{fmt, str::FromStr};

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat};

/// The longest short code. A number of the public network without its country's code is longer in almost every country.
const SHORT_CODE: usize = 6;

/// The most digits of a number as it is dialled: 15, and what leads out of a country.
const MOST_DIGITS: usize = 20;

/// Every country and territory with numbers of its own. The library knows them too, once its tables are read.
const REGIONS: &str = "AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ CA \
    CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR \
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP \
    KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR \
    MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO \
    RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT \
    TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// A country or territory with numbers of its own, by its ISO 3166-1 code of two letters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Region(rlibphonenumber::Region);

/// That there is no such region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no ISO 3166-1 code of two letters of a country with phone numbers, as US")]
pub struct UnknownRegion;

impl FromStr for Region {
    type Err = UnknownRegion;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        let code = code.to_ascii_uppercase();
        let known = REGIONS.split(' ').find(|known| *known == code).ok_or(UnknownRegion)?;
        let region = rlibphonenumber::Region::from_code(known);
        region.map(Self).map_err(|_| UnknownRegion)
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_region_str().as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Region {
    /// The codes of all of them, in alphabetical order.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        REGIONS.split(' ')
    }
}

/// What a text in the place of a number is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Number {
    /// A number with its country's code, in E.164.
    E164(String),
    /// A number without it: which one it is depends on where one is.
    National(String),
    /// No number of the public network; it stays as it is.
    Other(String),
}

impl Number {
    /// Reads what somebody wrote.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let text = text.trim();
        if is_e164(text) {
            return Self::E164(text.to_owned());
        }
        let is_dialled = |letter: char| letter.is_ascii_digit() || is_formatting(letter);
        if !text.strip_prefix('+').unwrap_or(text).chars().all(is_dialled) {
            return Self::Other(text.to_owned());
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.is_empty() {
            Self::Other(text.to_owned())
        } else if text.starts_with('+') {
            parsed(text, None).map_or_else(|| Self::Other(format!("+{digits}")), Self::E164)
        } else if digits.len() <= SHORT_CODE {
            Self::Other(digits)
        } else if digits.len() > MOST_DIGITS {
            Self::Other(text.to_owned())
        } else {
            Self::National(text.to_owned())
        }
    }

    /// The number as it stands in a column: in E.164 where that is known, else as it was written.
    #[must_use]
    pub fn spelled(self, region: Option<Region>) -> String {
        match self {
            Self::E164(text) | Self::Other(text) => text,
            Self::National(text) => parsed(&text, region).unwrap_or(text),
        }
    }
}

/// The E.164 form of a number, if it is one: with its country's code it must be possible, without it valid there.
fn parsed(text: &str, region: Option<Region>) -> Option<String> {
    let util = &*PHONE_NUMBER_UTIL;
    let number = util.parse(text, region.map(|region| region.0)).ok()?;
    let is_one =
        if text.starts_with('+') { util.is_possible_number(&number) } else { util.is_valid_number(&number) };
    is_one.then(|| util.format(&number, PhoneNumberFormat::E164).into_owned())
}

/// Whether it is E.164 letter by letter: a plus sign and 7 to 15 digits, the first not zero.
fn is_e164(text: &str) -> bool {
    let Some(digits) = text.strip_prefix('+') else { return false };
    (7..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// What people write between the digits.
fn is_formatting(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '-' | '.' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(text: &str, region: &str) -> String {
        Number::read(text).spelled(region.parse().ok())
    }

    #[test]
    fn a_number_with_its_countrys_code_has_one_spelling() {
        for text in ["+14155550160", "+1 (415) 555-0160", " +1.415.555.0160 ", "+1 415/555\u{2013}0160"] {
            assert_eq!(Number::read(text), Number::E164("+14155550160".to_owned()), "{text}");
        }
        assert_eq!(spelled("+44 (0)20 7946 0000", ""), "+442079460000");
        assert_eq!(spelled("+39 02 1234567", ""), "+39021234567");
        assert_eq!(spelled("+800 1234 5678", ""), "+80012345678");
    }

    #[test]
    fn a_national_number_is_completed_where_the_region_is_known() {
        for (text, region, number) in [
            ("4155550160", "US", "+14155550160"),
            ("(415) 555-0160", "us", "+14155550160"),
            ("1 415 555 0160", "US", "+14155550160"),
            ("030 123456", "DE", "+4930123456"),
            ("0049 30 123456", "DE", "+4930123456"),
            ("020 7946 0000", "GB", "+442079460000"),
        ] {
            assert!(matches!(Number::read(text), Number::National(_)), "{text}");
            assert_eq!(spelled(text, region), number, "{text} in {region}");
        }
        assert_eq!(spelled("(415) 555-0160", ""), "(415) 555-0160");
        assert_eq!(spelled("555-0160", "US"), "555-0160");
    }

    #[test]
    fn what_is_no_number_of_the_public_network_stays_as_it_is() {
        for text in [
            "blocked",
            "anonymous",
            "unknown",
            "sip:ann@crm.example",
            "ann@crm.example",
            "1-800-FLOWERS",
            "*67",
            "#31#",
            "+14155550160;ext=5",
            "+",
            "",
            "12345",
            "911",
            "88811",
            "٠١٢٣",
        ] {
            assert_eq!(Number::read(text), Number::Other(text.to_owned()), "{text}");
            assert_eq!(spelled(text, "US"), text);
        }
        assert_eq!(spelled("+999 123", "US"), "+999123");
        assert_eq!(Number::read(&"9".repeat(21)), Number::Other("9".repeat(21)));
    }

    #[test]
    fn the_regions_are_those_that_have_numbers() {
        let mut known: Vec<String> =
            PHONE_NUMBER_UTIL.get_supported_regions().map(|region| region.to_string()).collect();
        known.sort();
        assert_eq!(Region::codes().collect::<Vec<_>>(), known);
        assert_eq!("de".parse::<Region>().unwrap().to_string(), "DE");
        for wrong in ["", "ZZ", "UK", "001", "USA", "é", "U1", "US GB"] {
            assert_eq!(wrong.parse::<Region>(), Err(UnknownRegion), "{wrong}");
        }
    }
}
