//! The `payment` family: money asked for, moved, refunded, disputed and paid out.

use super::field::Due;
use super::text::{AdminId, BookingId, CardRange, DeviceId, InstrumentId, IpAddress, PaymentId, ProviderId, Reason, UserId};
use super::units::{AmountMinor, BalanceMinor, Country, Currency, Timestamp};
use crate::{choice, record};

choice! {
    /// How money moves.
    pub enum PaymentMethod {
        /// A card.
        Card = "card",
        /// A mobile wallet.
        Wallet = "wallet",
        /// Cash, confirmed by both sides.
        Cash = "cash",
        /// A bank transfer.
        Bank = "bank",
    }
}

choice! {
    /// What failed.
    pub enum Operation {
        /// To set money aside.
        Authorize = "authorize",
        /// To take it.
        Capture = "capture",
        /// To give it back.
        Refund = "refund",
        /// To pay somebody.
        Payout = "payout",
    }
}

record! {
    /// Every `payment.*` event.
    pub struct Payment<'a> {
        /// The payment, refund or payout.
        pub payment_id: PaymentId<'a>,
        /// The payer; the payee for payouts.
        pub user_id: UserId<'a>,
        /// The other side.
        pub counterparty_id: Option<UserId<'a>>,
        /// The booking it is for.
        pub booking_id: Option<BookingId<'a>>,
        /// How much.
        pub amount: AmountMinor,
        /// In which currency.
        pub currency: Due<Currency>,
        /// How.
        pub method: Due<PaymentMethod>,
        /// The card, wallet or account.
        pub instrument_id: Option<InstrumentId<'a>>,
        /// The device it was asked for on.
        pub device_id: Option<DeviceId<'a>>,
        /// The address it was asked for from.
        pub ip: Option<IpAddress<'a>>,
        /// When the account of `user_id` was made.
        pub account_created_at: Option<Timestamp>,
        /// Whether a cash receipt's signature holds.
        pub receipt_signature_valid: Option<bool>,
        /// The member of staff who approved it.
        pub approved_by: Option<AdminId<'a>>,
        /// The payment provider.
        pub provider: Option<ProviderId<'a>>,
        /// What a refund or chargeback undoes.
        pub original_payment_id: Option<PaymentId<'a>>,
        /// What failed.
        pub operation: Option<Operation>,
        /// The first six to eight digits of the card: its bank and product.
        pub card_range: Option<CardRange<'a>>,
        /// The country of the card's bank.
        pub card_country: Option<Country>,
        /// Why.
        pub reason: Option<Reason<'a>>,
        /// The account's balance afterwards.
        pub balance_after: Option<BalanceMinor>,
    }
}
