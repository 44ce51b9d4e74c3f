//! A row of PostgreSQL as serde reads it: a sequence of its columns, each as it was sent. They are found by their places, as in the text that SQLite makes of a
//! row. By their names, with a look-up and a comparison of types for each, a list of 50 streams took a quarter more of the server's time.

use serde::de::value::{Error as Unreadable, SeqDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use sqlx::postgres::{PgRow, PgValueRef};
use sqlx::{Decode, Postgres, Row as _, Type, ValueRef as _};

/// Reads all columns of a row; structs within it are parts of it.
pub(super) fn read<'r, T: Deserialize<'r>>(row: &'r PgRow) -> Result<T, Unreadable> {
    let mut columns = Columns { row, next: 0 };
    let read = T::deserialize(&mut columns)?;
    if columns.next == row.len() { Ok(read) } else { Err(Unreadable::custom("more columns than are read")) }
}

struct Columns<'r> {
    row: &'r PgRow,
    next: usize,
}

impl<'r> Columns<'r> {
    fn value(&self) -> Result<PgValueRef<'r>, Unreadable> {
        self.row.try_get_raw(self.next).map_err(Unreadable::custom)
    }

    fn take(&mut self) -> Result<PgValueRef<'r>, Unreadable> {
        let value = self.value()?;
        self.next += 1;
        Ok(value)
    }
}

fn decode<'r, T: Decode<'r, Postgres>>(value: PgValueRef<'r>) -> Result<T, Unreadable> {
    T::decode(value).map_err(Unreadable::custom)
}

impl<'r> Deserializer<'r> for &mut Columns<'r> {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'r>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let value = self.take()?;
        if value.is_null() {
            return visitor.visit_none();
        }
        let kind = value.type_info().into_owned();
        if kind == <str as Type<Postgres>>::type_info() {
            visitor.visit_borrowed_str(decode(value)?)
        } else if kind == <i64 as Type<Postgres>>::type_info() {
            visitor.visit_i64(decode(value)?)
        } else if kind == <bool as Type<Postgres>>::type_info() {
            visitor.visit_bool(decode(value)?)
        } else if kind == <f64 as Type<Postgres>>::type_info() {
            visitor.visit_f64(decode(value)?)
        } else if kind == <Vec<String> as Type<Postgres>>::type_info() {
            visitor.visit_seq(SeqDeserializer::new(decode::<Vec<String>>(value)?.into_iter()))
        } else {
            Err(Unreadable::custom("of a type that no row has"))
        }
    }

    fn deserialize_option<V: Visitor<'r>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        if self.value()?.is_null() {
            self.next += 1;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_struct<V: Visitor<'r>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_seq(Part { columns: self, left: fields.len() })
    }

    forward_to_deserialize_any! {
        <W: Visitor<'r>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

/// So many fields, each of which is a column, or a part again.
struct Part<'a, 'r> {
    columns: &'a mut Columns<'r>,
    left: usize,
}

impl<'r> SeqAccess<'r> for Part<'_, 'r> {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'r>>(&mut self, seed: T) -> Result<Option<T::Value>, Unreadable> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.columns).map(Some)
    }
}
