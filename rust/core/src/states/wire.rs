//! States as bytes: what a file or another machine holds of them.
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..8 | `conflern` |
//! | 8..10 | version of the format |
//! | 10..12 | which kind of state |
//! | 12..16 | CRC-32 of the payload |
//! | 16..24 | length of the payload |
//! | 24.. | the payload, in the format of [postcard](https://postcard.jamesmunns.com/wire-format) |
//!
//! All numbers are little-endian. Bytes may come from a stranger: nothing is allocated that they do
//! not themselves fill, and what a state promises of itself is checked before it is used.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

const MAGIC: [u8; 8] = *b"conflern";
const HEADER: usize = 24;

/// What bytes of other versions mean is not known. It counts up when what any state holds changes.
const VERSION: u16 = 3;

/// A state that can be written and read again.
pub(crate) trait Wire: Serialize + DeserializeOwned {
    /// Its number: never that of another kind of state.
    const NUMBER: u16;
    /// What people call it.
    const NAME: &'static str;

    /// Checks what its other functions rely on.
    ///
    /// # Errors
    /// What is wrong, in a few words.
    fn check(&self) -> Result<(), &'static str>;

    /// As bytes.
    fn to_wire(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes = postcard::to_extend(self, bytes)
            .expect("states are plain numbers, and memory takes all bytes");
        let payload = &bytes[HEADER..];
        let (sum, length) = (crc32fast::hash(payload), payload.len() as u64);
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&Self::NUMBER.to_le_bytes());
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
        bytes[16..24].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    /// From bytes.
    fn from_wire(bytes: &[u8]) -> Result<Self> {
        let damaged = |why| Error::StateDamaged { name: Self::NAME, why };
        let Some((header, payload)) = bytes.split_first_chunk::<HEADER>() else {
            return Err(damaged("they are too few"));
        };
        if header[..8] != MAGIC {
            return Err(damaged("they do not begin as states do"));
        }
        let number = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        if number(8) != VERSION {
            return Err(Error::StateVersion { found: number(8), ours: VERSION });
        }
        if number(10) != Self::NUMBER {
            let found = number(10);
            return Err(Error::StateKind { found, name: Self::NAME, ours: Self::NUMBER });
        }
        let length = header[16..].iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        if length != payload.len() as u64 {
            return Err(damaged("some are missing, or there are too many"));
        }
        let sum = header[12..16].iter().rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte));
        if sum != crc32fast::hash(payload) {
            return Err(damaged("their checksum is another one"));
        }
        let (state, rest) = postcard::take_from_bytes::<Self>(payload)
            .map_err(|_| damaged("the payload cannot be read"))?;
        if !rest.is_empty() {
            return Err(damaged("the payload is too long"));
        }
        state.check().map_err(damaged)?;
        Ok(state)
    }
}

#[cfg(test)]
mod tests {
    use crate::calibration::Calibration;
    use crate::error::Error;
    use crate::pred_probs::Kind;
    use crate::row::Several;
    use crate::states::{JointState, Spec, ThresholdState};

    const SPEC: Spec = Spec {
        n_classes: 3,
        kind: Kind::Logits,
        calibration: Calibration { temperature: 2.0, class_bias: Vec::new() },
    };

    #[test]
    fn states_are_read_as_they_were_written() {
        let state = ThresholdState::new(SPEC).unwrap();
        assert_eq!(ThresholdState::from_bytes(&state.to_bytes()), Ok(state));
        let state = JointState::new(SPEC, &[0.5, 0.25, 2.0], Several::MostProbable).unwrap();
        assert_eq!(JointState::from_bytes(&state.to_bytes()), Ok(state));
    }

    #[test]
    fn the_bytes_are_those_of_version_3() {
        // Whoever changes them counts up the version.
        let mut expected = b"conflern\x03\x00\x01\x00".to_vec();
        let payload =
            b"\x03\x01\x00\x00\x00\x00\x00\x00\x00\x40\x00\x03\x00\x00\x00\x03\x00\x00\x00";
        expected.extend(crc32fast::hash(payload).to_le_bytes());
        expected.extend((payload.len() as u64).to_le_bytes());
        expected.extend(payload);
        assert_eq!(ThresholdState::new(SPEC).unwrap().to_bytes(), expected);
    }

    #[test]
    fn choices_are_written_as_they_were_in_version_1() {
        use crate::prune::Filter;
        use crate::quality::Method;
        use crate::states::quotas::By;

        macro_rules! numbers {
            ($($choice:expr),+) => {
                [$(postcard::to_stdvec(&$choice).unwrap()[0]),+]
            };
        }
        let filters = numbers![
            Filter::PruneByNoiseRate,
            Filter::PruneByClass,
            Filter::Both,
            Filter::ConfidentLearning,
            Filter::PredictedNeqGiven,
            Filter::LowNormalizedMargin,
            Filter::LowSelfConfidence,
            Filter::RelativeConfidence,
            Filter::NoiseFloor
        ];
        assert_eq!(filters, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        let methods = numbers![
            Method::SelfConfidence,
            Method::NormalizedMargin,
            Method::ConfidenceWeightedEntropy,
            Method::RelativeConfidence,
            Method::NoiseFloor
        ];
        assert_eq!(methods, [0, 1, 2, 3, 4]);
        assert_eq!(numbers![Kind::Probabilities, Kind::Logits, Kind::Scores], [0, 1, 2]);
        assert_eq!(numbers![Several::MostProbable, Several::RowArgmax], [0, 1]);
        assert_eq!(numbers![By::Margin(7), By::Own, By::Score], [0, 1, 2]);
    }

    #[test]
    fn what_was_cut_short_or_changed_is_refused() {
        let bytes = ThresholdState::new(SPEC).unwrap().to_bytes();
        for length in 0..bytes.len() {
            let cut = ThresholdState::from_bytes(&bytes[..length]);
            assert!(matches!(cut, Err(Error::StateDamaged { .. })));
        }
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(ThresholdState::from_bytes(&changed).is_err());
        }
    }
}
