//! Dates of a file of users, as times of the system.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use toml::value::{Datetime, Offset};

use crate::MAX_EXPIRY_SECONDS;

/// Reads a date: with a time and its zone, or the beginning of a day in UTC.
///
/// # Errors
/// What is wrong with it.
pub(super) fn system_time(date: &Datetime) -> Result<SystemTime, &'static str> {
    const YEARS: &str = "a date must be between 1970 and 9999";
    const FORM: &str =
        "a date must have a time zone, such as 2027-01-01T00:00:00Z, or be a day alone: 2027-01-01";
    let utc = match (date.date, date.time, date.offset) {
        (Some(date), None, None) => format!("{date}T00:00:00"),
        (Some(date), Some(time), Some(_)) => {
            format!("{date}T{:02}:{:02}:{:02}", time.hour, time.minute, time.second.unwrap_or(0))
        }
        _ => return Err(FORM),
    };
    let local = humantime::parse_rfc3339_weak(&utc).map_err(|_| YEARS)?;
    let offset_minutes = match date.offset {
        Some(Offset::Custom { minutes }) => minutes,
        _ => 0,
    };
    let offset = Duration::from_secs(u64::from(offset_minutes.unsigned_abs()) * 60);
    let time = if offset_minutes > 0 { local.checked_sub(offset) } else { local.checked_add(offset) };
    let latest = UNIX_EPOCH + Duration::from_secs(MAX_EXPIRY_SECONDS);
    time.filter(|time| (UNIX_EPOCH..=latest).contains(time)).ok_or(YEARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_a_zone_or_are_days_in_utc() {
        for (text, seconds) in [
            ("2027-01-01T00:00:00Z", Some(1_798_761_600)),
            ("2027-01-01 01:30:00+01:30", Some(1_798_761_600)),
            ("2026-12-31T22:00:00-02:00", Some(1_798_761_600)),
            ("2027-01-01", Some(1_798_761_600)),
            ("2027-01-01T00:00:00", None),
            ("00:00:00", None),
            ("1969-12-31", None),
            ("1970-01-01T00:00:00+01:00", None),
            ("9999-12-31T23:59:59Z", Some(MAX_EXPIRY_SECONDS)),
            ("9999-12-31T23:59:59-00:01", None),
        ] {
            let time = system_time(&text.parse().unwrap());
            assert_eq!(time.ok(), seconds.map(|s| UNIX_EPOCH + Duration::from_secs(s)), "{text}");
        }
    }
}
