//! Numbers and runs of numbers in few bytes: what keeps ten hours of samples in some megabytes.

/// Unsigned numbers, seven bits a byte, the lowest first (LEB128).
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Numbers {
    bytes: Vec<u8>,
    count: u32,
}

impl Numbers {
    pub(super) fn push(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
        self.count += 1;
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        let mut bytes = self.bytes.iter();
        std::iter::from_fn(move || {
            let (mut number, mut shift) = (0, 0);
            loop {
                let byte = *bytes.next()?;
                number |= u64::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    return Some(number);
                }
                shift += 7;
            }
        })
    }
}

/// Signed numbers of which many in a row are the same.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Runs {
    /// Count and zigzag value in turn.
    closed: Numbers,
    open: Option<(u32, i64)>,
}

impl Runs {
    pub(super) fn push(&mut self, value: i64) {
        match &mut self.open {
            Some((count, open)) if *open == value => *count += 1,
            open => {
                if let Some((count, closed)) = open.replace((1, value)) {
                    self.closed.push(count.into());
                    self.closed.push((closed << 1 ^ closed >> 63) as u64);
                }
            }
        }
    }

    /// How many runs there are.
    pub(super) fn count(&self) -> u32 {
        self.closed.count() / 2 + u32::from(self.open.is_some())
    }

    /// The last run's length and value.
    pub(super) fn last(&self) -> Option<(u32, i64)> {
        self.open
    }

    /// Makes the last value another one.
    pub(super) fn replace_last(&mut self, value: i64) {
        if let Some((count, _)) = &mut self.open {
            *count -= 1;
            if *count == 0 {
                self.open = None;
            }
        }
        self.push(value);
    }

    /// Each run's length and value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, i64)> {
        let mut closed = self.closed.iter();
        std::iter::from_fn(move || {
            let (count, zigzag) = (closed.next()?, closed.next()?);
            Some((count as u32, (zigzag >> 1) as i64 ^ -((zigzag & 1) as i64)))
        })
        .chain(self.open)
    }

    /// Each value, as often as it was pushed.
    pub(super) fn values(&self) -> impl Iterator<Item = i64> {
        self.iter().flat_map(|(count, value)| std::iter::repeat_n(value, count as usize))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.closed.heap_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(numbers in proptest::collection::vec(any::<u64>(), 0..50)) {
            let mut packed = Numbers::default();
            numbers.iter().for_each(|number| packed.push(*number));
            prop_assert_eq!(packed.iter().collect::<Vec<_>>(), numbers);
        }

        #[test]
        fn runs_come_back_and_never_repeat_a_value(values in proptest::collection::vec(prop_oneof![-2_i64..2, any::<i64>()], 0..50)) {
            let mut packed = Runs::default();
            values.iter().for_each(|value| packed.push(*value));
            let runs: Vec<_> = packed.iter().collect();
            prop_assert!(runs.windows(2).all(|pair| pair[0].1 != pair[1].1));
            prop_assert_eq!(packed.values().collect::<Vec<_>>(), values);
        }
    }
}
