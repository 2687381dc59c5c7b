//! Makes of the list in `lib.rs` whatever must know every operator.

/// Declares the operators' modules and, of the list, [`OPERATORS`](crate::operator::OPERATORS) and
/// [`AnyOperator`](crate::operator::AnyOperator). One line an operator: `module: Type,` declares `module.rs` in the folder
/// that it stands under.
macro_rules! operators {
    ($($(#[$doc:meta])* $folder:ident { $($module:ident: $operator:ident,)* })*) => {
        $($(#[$doc])* pub mod $folder { $(pub mod $module;)* })*

        pub(crate) mod listed {
            use crate::event::field::FieldType;
            use crate::operator::{Operator, OperatorSpec, OperatorVisitor, ParamsError, Setup, parse};

            /// An operator, set up.
            #[derive(Clone)]
            pub enum AnyOperator {
                $($(
                    #[doc = concat!("`", stringify!($folder), "::", stringify!($module), "`.")]
                    $operator(Setup<<crate::$folder::$module::$operator as Operator>::Params>),
                )*)*
            }

            /// Every operator.
            pub const OPERATORS: &[OperatorSpec] = &[$($(OperatorSpec {
                name: <crate::$folder::$module::$operator as Operator>::NAME,
                version: <crate::$folder::$module::$operator as Operator>::VERSION,
                former_version: <crate::$folder::$module::$operator as Operator>::FORMER_VERSION,
                gives: <crate::$folder::$module::$operator as Operator>::GIVES,
                feeds: <crate::$folder::$module::$operator as Operator>::FEEDS,
                yields: <crate::$folder::$module::$operator as Operator>::YIELDS,
                fires_on: <crate::$folder::$module::$operator as Operator>::FIRES_ON,
                heard: <crate::$folder::$module::$operator as Operator>::HEARD,
                form: <crate::$folder::$module::$operator as Operator>::FORM,
                needs_raw: <crate::$folder::$module::$operator as Operator>::NEEDS_RAW,
                reads_before: <crate::$folder::$module::$operator as Operator>::READS_BEFORE,
                takes_offset: <crate::$folder::$module::$operator as Operator>::TAKES_OFFSET,
                window_ms_max: <crate::$folder::$module::$operator as Operator>::WINDOW_MS_MAX,
                least: <crate::$folder::$module::$operator as Operator>::LEAST,
                file: concat!("detectors/src/", stringify!($folder), "/", stringify!($module), ".rs"),
                schema: |generator| generator.subschema_for::<<crate::$folder::$module::$operator as Operator>::Params>(),
                setup: |(window_ms, offset_ms), of: Option<FieldType>, params| -> Result<AnyOperator, ParamsError> {
                    parse(params).map(|params| AnyOperator::$operator(Setup { window_ms, offset_ms, of, params }))
                },
            },)*)*];

            impl AnyOperator {
                /// What can be known of it without running it.
                pub fn spec(&self) -> &'static OperatorSpec {
                    let name = match self { $($(Self::$operator(_) => <crate::$folder::$module::$operator as Operator>::NAME,)*)* };
                    OPERATORS.iter().find(|spec| spec.name == name).expect("the list and the enum are made together")
                }

                /// Does something with its type.
                pub fn accept<V: OperatorVisitor>(&self, visitor: V) -> V::Output {
                    match self {
                        $($(Self::$operator(setup) => visitor.visit::<crate::$folder::$module::$operator>(setup),)*)*
                    }
                }
            }
        }
    };
}
