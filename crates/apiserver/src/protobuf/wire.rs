//! The wire format of protobuf: numbered fields, one after another. Knows
//! nothing of what they mean.

use super::Bad;

/// What was sent for one field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sent<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Sent<'a> {
    pub(super) fn number(&self) -> Result<u64, Bad> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Bytes(_) => Err(Bad::Broken("proto: wrong wireType")),
        }
    }

    pub(super) fn bytes(&self) -> Result<&'a [u8], Bad> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) => Err(Bad::Broken("proto: wrong wireType")),
        }
    }
}

/// Reads fields off the front of a message.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next field and its number.
    pub(super) fn next(&mut self) -> Result<Option<(u64, Sent<'a>)>, Bad> {
        let Some(tag) = self.number()? else {
            return Ok(None);
        };
        let sent = match tag & 7 {
            0 => Sent::Number(self.number()?.ok_or(CUT_OFF)?),
            1 => Sent::Number(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = self.number()?.ok_or(CUT_OFF)?;
                let length = usize::try_from(length).map_err(|_| CUT_OFF)?;
                Sent::Bytes(self.take(length)?)
            }
            5 => Sent::Number(u64::from(u32::from_le_bytes(self.fixed()?))),
            _ => return Err(Bad::Broken("proto: illegal wireType")),
        };
        Ok(Some((tag >> 3, sent)))
    }

    /// A number of variable length; `None` at the end.
    pub(super) fn number(&mut self) -> Result<Option<u64>, Bad> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first().ok_or(CUT_OFF)?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(Some(number));
            }
        }
        Err(Bad::Broken("proto: integer overflow"))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Bad> {
        self.take(N)?.try_into().map_err(|_| CUT_OFF)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Bad> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CUT_OFF)?;
        self.0 = rest;
        Ok(taken)
    }
}

const CUT_OFF: Bad = Bad::Broken("unexpected EOF");
