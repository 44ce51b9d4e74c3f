//! AMF 0, the encoding of commands and metadata: Adobe's "Action Message Format – AMF 0". Types that no encoder sends in RTMP are refused.

use bytes::BufMut;

/// How deep values may nest.
pub const MAX_DEPTH: usize = 8;
/// How many values one message may hold, nested ones counted.
pub const MAX_VALUES: usize = 1_024;

mod marker {
    pub(super) const NUMBER: u8 = 0x00;
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const STRING: u8 = 0x02;
    pub(super) const OBJECT: u8 = 0x03;
    pub(super) const NULL: u8 = 0x05;
    pub(super) const UNDEFINED: u8 = 0x06;
    pub(super) const ECMA_ARRAY: u8 = 0x08;
    pub(super) const OBJECT_END: u8 = 0x09;
    pub(super) const STRICT_ARRAY: u8 = 0x0a;
    pub(super) const DATE: u8 = 0x0b;
    pub(super) const LONG_STRING: u8 = 0x0c;
    pub(super) const XML_DOCUMENT: u8 = 0x0f;
    pub(super) const TYPED_OBJECT: u8 = 0x10;
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    #[error("it ends in the middle of a value")]
    Truncated,
    #[error("a value of type {0:#04x}")]
    Unsupported(u8),
    #[error("values nest deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("more than {MAX_VALUES} values")]
    TooMany,
    #[error("a value of another type is expected")]
    WrongType,
}

/// Names and values, in the order sent.
pub type Properties = Vec<(String, Value)>;

#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    Number(f64),
    Boolean(bool),
    /// Bytes that are no UTF-8 have been replaced. XML documents are read as strings.
    String(String),
    /// Also a typed object, without its type's name.
    Object(Properties),
    Null,
    Undefined,
    EcmaArray(Properties),
    StrictArray(Vec<Self>),
    /// Milliseconds since 1970.
    Date(f64),
}

impl Value {
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// A property of an object or array.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        let (Self::Object(properties) | Self::EcmaArray(properties)) = self else { return None };
        properties.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Strings and names beyond what their lengths can say are cut; our own are far from it.
    pub fn write(&self, out: &mut impl BufMut) {
        match self {
            Self::Number(number) => {
                out.put_u8(marker::NUMBER);
                out.put_f64(*number);
            }
            Self::Boolean(boolean) => {
                out.put_u8(marker::BOOLEAN);
                out.put_u8(u8::from(*boolean));
            }
            Self::String(text) if text.len() <= usize::from(u16::MAX) => {
                out.put_u8(marker::STRING);
                write_name(out, text);
            }
            Self::String(text) => {
                out.put_u8(marker::LONG_STRING);
                let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
                out.put_u32(length);
                out.put_slice(&text.as_bytes()[..length as usize]);
            }
            Self::Object(properties) => {
                out.put_u8(marker::OBJECT);
                write_properties(out, properties);
            }
            Self::Null => out.put_u8(marker::NULL),
            Self::Undefined => out.put_u8(marker::UNDEFINED),
            Self::EcmaArray(properties) => {
                out.put_u8(marker::ECMA_ARRAY);
                out.put_u32(u32::try_from(properties.len()).unwrap_or(u32::MAX));
                write_properties(out, properties);
            }
            Self::StrictArray(values) => {
                out.put_u8(marker::STRICT_ARRAY);
                out.put_u32(u32::try_from(values.len()).unwrap_or(u32::MAX));
                values.iter().for_each(|value| value.write(out));
            }
            Self::Date(ms) => {
                out.put_u8(marker::DATE);
                out.put_f64(*ms);
                out.put_u16(0);
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

/// An object of the given properties.
#[must_use]
pub fn object<const N: usize>(properties: [(&str, Value); N]) -> Value {
    Value::Object(properties.map(|(name, value)| (name.to_owned(), value)).into())
}

fn write_name(out: &mut impl BufMut, name: &str) {
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(&name.as_bytes()[..usize::from(length)]);
}

fn write_properties(out: &mut impl BufMut, properties: &Properties) {
    for (name, value) in properties {
        write_name(out, name);
        value.write(out);
    }
    out.put_u16(0);
    out.put_u8(marker::OBJECT_END);
}

/// Reads the values of one message, one after the other.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    values_left: usize,
}

impl<'a> Reader<'a> {
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, values_left: MAX_VALUES }
    }

    /// The next value; `None` at the end.
    ///
    /// # Errors
    /// Where the bytes are no AMF 0 or more than the limits allow; then nothing further can be read.
    pub fn next_value(&mut self) -> Result<Option<Value>, Error> {
        if self.rest.is_empty() { Ok(None) } else { self.value(MAX_DEPTH).map(Some) }
    }

    /// The next value, which must be a string.
    ///
    /// # Errors
    /// As [`Self::next_value`], also at the end and where it is something else.
    pub fn string(&mut self) -> Result<String, Error> {
        if let Value::String(text) = self.value(MAX_DEPTH)? { Ok(text) } else { Err(Error::WrongType) }
    }

    /// The next value, which must be a number.
    ///
    /// # Errors
    /// As [`Self::string`].
    pub fn number(&mut self) -> Result<f64, Error> {
        self.value(MAX_DEPTH)?.as_number().ok_or(Error::WrongType)
    }

    fn value(&mut self, depth_left: usize) -> Result<Value, Error> {
        self.values_left = self.values_left.checked_sub(1).ok_or(Error::TooMany)?;
        let inner = depth_left.checked_sub(1);
        let deeper = || inner.ok_or(Error::TooDeep);
        Ok(match self.u8()? {
            marker::NUMBER => Value::Number(self.f64()?),
            marker::BOOLEAN => Value::Boolean(self.u8()? != 0),
            marker::STRING => Value::String(self.name()?),
            marker::OBJECT => Value::Object(self.properties(deeper()?)?),
            marker::NULL => Value::Null,
            marker::UNDEFINED => Value::Undefined,
            marker::ECMA_ARRAY => {
                // The count is a hint at most, and wrong in what some encoders send.
                self.bytes(4)?;
                Value::EcmaArray(self.properties(deeper()?)?)
            }
            marker::STRICT_ARRAY => {
                let count = self.u32()?;
                let depth = deeper()?;
                // Nothing is reserved by the count; a false one runs into the end of the bytes or of the values allowed.
                let mut values = Vec::new();
                for _ in 0..count {
                    values.push(self.value(depth)?);
                }
                Value::StrictArray(values)
            }
            marker::DATE => {
                let ms = self.f64()?;
                self.bytes(2)?;
                Value::Date(ms)
            }
            marker::LONG_STRING | marker::XML_DOCUMENT => {
                let length = self.u32()? as usize;
                Value::String(String::from_utf8_lossy(self.bytes(length)?).into_owned())
            }
            marker::TYPED_OBJECT => {
                self.name()?;
                Value::Object(self.properties(deeper()?)?)
            }
            other => return Err(Error::Unsupported(other)),
        })
    }

    fn properties(&mut self, depth_left: usize) -> Result<Properties, Error> {
        let mut properties = Vec::new();
        loop {
            let name = self.name()?;
            if name.is_empty() && self.rest.first() == Some(&marker::OBJECT_END) {
                self.u8()?;
                return Ok(properties);
            }
            properties.push((name, self.value(depth_left)?));
        }
    }

    fn name(&mut self) -> Result<String, Error> {
        let length = u16::from_be_bytes(self.array()?);
        Ok(String::from_utf8_lossy(self.bytes(usize::from(length))?).into_owned())
    }

    fn u8(&mut self) -> Result<u8, Error> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    fn f64(&mut self) -> Result<f64, Error> {
        self.array().map(f64::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.rest.split_first_chunk().ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(*array)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(Error::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Option<Value>, Error> {
        Reader::new(bytes).next_value()
    }

    #[test]
    fn nesting_and_counts_are_bounded() {
        assert_eq!(read(&[marker::STRICT_ARRAY, 0, 0, 0, 1].repeat(100)), Err(Error::TooDeep));
        let mut many = vec![marker::STRICT_ARRAY, 0xff, 0xff, 0xff, 0xff];
        many.resize(10_000, marker::NULL);
        assert_eq!(read(&many), Err(Error::TooMany));
        assert_eq!(read(&[marker::LONG_STRING, 0xff, 0xff, 0xff, 0xff, b'a']), Err(Error::Truncated));
    }

    #[test]
    fn unknown_types_are_refused() {
        for marker in [0x04, 0x07, 0x0d, 0x0e, 0x11, 0xff] {
            assert_eq!(read(&[marker, 0, 0]), Err(Error::Unsupported(marker)));
        }
        assert_eq!(read(&[]), Ok(None));
    }

    fn a_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<f64>().prop_filter("NaN differs from itself", |number| !number.is_nan()).prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,20}".prop_map(Value::String),
            Just(Value::String("long".repeat(20_000))),
            Just(Value::Null),
            Just(Value::Undefined),
            (0.0..1e13).prop_map(Value::Date),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            let properties = prop::collection::vec(("[a-z]{1,8}", inner.clone()), 0..8);
            prop_oneof![
                properties.clone().prop_map(Value::Object),
                properties.prop_map(Value::EcmaArray),
                prop::collection::vec(inner, 0..8).prop_map(Value::StrictArray),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in a_value()) {
            let mut bytes = Vec::new();
            value.write(&mut bytes);
            prop_assert_eq!(read(&bytes), Ok(Some(value)));
        }

        #[test]
        fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            while let Ok(Some(_)) = reader.next_value() {}
        }
    }
}
