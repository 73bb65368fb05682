//! Quantities such as `100m` or `2Gi` in the form that the server writes
//! (`apimachinery/pkg/api/resource/quantity.go`).

const WRONG: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
const BAD_SUFFIX: &str = "unable to parse quantity's suffix";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    Decimal,
    Exponent,
    Binary,
}

/// Nothing smaller is kept: a value is rounded up to a multiple of it.
const NANOS: i128 = 1_000_000_000;

/// The canonical form of a quantity.
pub(crate) fn canonical(text: &str) -> Result<String, String> {
    let (nanos, format) = parse(text)?;
    Ok(written(nanos, format))
}

/// Which of two quantities is larger; what is none counts as 0.
pub(crate) fn compare(a: &str, b: &str) -> std::cmp::Ordering {
    let amount = |text: &str| parse(text).map(|(nanos, _)| nanos).unwrap_or_default();
    amount(a).cmp(&amount(b))
}

fn parse(text: &str) -> Result<(i128, Format), String> {
    let wrong = || WRONG.to_owned();
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let split = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(rest.len());
    let (number, suffix) = rest.split_at(split);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(wrong());
    }
    let allowed = |c: char| "eEinumkKMGTP+-".contains(c) || c.is_ascii_digit();
    if !suffix.chars().all(allowed) {
        return Err(wrong());
    }
    let (format, base, exponent) = suffix_of(suffix).ok_or_else(|| BAD_SUFFIX.to_owned())?;
    let scale: i128 = if base == 2 {
        1i128 << exponent.clamp(0, 60)
    } else {
        10i128.pow(u32::try_from(exponent.clamp(0, 18)).unwrap_or_default())
    };
    let below = if base == 10 && exponent < 0 {
        10i128.pow(u32::try_from((-exponent).clamp(0, 27)).unwrap_or_default())
    } else {
        1
    };
    let digits = |part: &str| -> i128 {
        part.bytes().fold(0i128, |n, c| {
            n.saturating_mul(10).saturating_add(i128::from(c - b'0'))
        })
    };
    let kept = &fraction[..fraction.len().min(18)];
    let unit = 10i128.pow(u32::try_from(kept.len()).unwrap_or_default());
    let mut lost = fraction[kept.len()..].bytes().any(|c| c != b'0');
    let mantissa = digits(whole)
        .saturating_mul(unit)
        .saturating_add(digits(kept));
    let scaled = mantissa.saturating_mul(scale);
    let parts = unit.saturating_mul(below);
    let (divisor, multiplier) = if parts >= NANOS {
        (parts / NANOS, 1)
    } else {
        (1, NANOS / parts)
    };
    lost |= scaled % divisor != 0;
    let mut nanos = (scaled / divisor).saturating_mul(multiplier);
    if lost {
        nanos = nanos.saturating_add(1);
    }
    // The largest that an int64 holds (`maxAllowed`).
    nanos = nanos.min(i128::from(i64::MAX).saturating_mul(NANOS));
    Ok((if negative { -nanos } else { nanos }, format))
}

fn suffix_of(suffix: &str) -> Option<(Format, u8, i32)> {
    Some(match suffix {
        "" => (Format::Decimal, 10, 0),
        "n" => (Format::Decimal, 10, -9),
        "u" => (Format::Decimal, 10, -6),
        "m" => (Format::Decimal, 10, -3),
        "k" => (Format::Decimal, 10, 3),
        "M" => (Format::Decimal, 10, 6),
        "G" => (Format::Decimal, 10, 9),
        "T" => (Format::Decimal, 10, 12),
        "P" => (Format::Decimal, 10, 15),
        "E" => (Format::Decimal, 10, 18),
        "Ki" => (Format::Binary, 2, 10),
        "Mi" => (Format::Binary, 2, 20),
        "Gi" => (Format::Binary, 2, 30),
        "Ti" => (Format::Binary, 2, 40),
        "Pi" => (Format::Binary, 2, 50),
        "Ei" => (Format::Binary, 2, 60),
        other => {
            let exponent = other.strip_prefix(['e', 'E'])?;
            (Format::Exponent, 10, exponent.parse().ok()?)
        }
    })
}

fn written(nanos: i128, format: Format) -> String {
    if nanos == 0 {
        return "0".to_owned();
    }
    let binary = format == Format::Binary && nanos.abs() >= 1024 * NANOS;
    if binary {
        // Rounded up, away from zero.
        let mut units = nanos.abs() / NANOS + i128::from(nanos.abs() % NANOS != 0);
        let mut power = 0;
        while units % 1024 == 0 && power < 6 {
            units /= 1024;
            power += 1;
        }
        let suffix = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power];
        let sign = if nanos < 0 { "-" } else { "" };
        return format!("{sign}{units}{suffix}");
    }
    let mut units = nanos;
    let mut exponent = -9;
    while units % 1000 == 0 && exponent < 18 {
        units /= 1000;
        exponent += 3;
    }
    if format == Format::Exponent {
        return if exponent == 0 {
            units.to_string()
        } else {
            format!("{units}e{exponent}")
        };
    }
    let suffix = match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    };
    format!("{units}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn quantities_are_written_in_their_shortest_form() {
        for (given, wanted) in [
            ("1000m", "1"),
            ("0.1", "100m"),
            ("1.5Gi", "1536Mi"),
            ("1024Ki", "1Mi"),
            ("512Ki", "512Ki"),
            ("0.5Ki", "512"),
            ("1e3", "1e3"),
            ("12000", "12k"),
            ("0", "0"),
            ("-500m", "-500m"),
            ("1.0000000001", "1000000001n"),
            ("100Mi", "100Mi"),
            ("1E", "1E"),
        ] {
            assert_eq!(canonical(given).as_deref(), Ok(wanted), "{given}");
        }
        for bad in ["", "x", "1..2", "1 Gi", "1Kx", "é"] {
            assert!(canonical(bad).is_err(), "{bad}");
        }
    }
}
