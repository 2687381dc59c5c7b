//! The `chat` family: what clients and taskers write to each other.

use super::field::Due;
use super::text::{BookingId, ConversationId, FreeText, UserId};
use crate::{choice, record};

choice! {
    /// How far the booking that the two talk about has come.
    pub enum BookingStatus {
        /// There is none yet.
        None = "none",
        /// Asked for.
        Pending = "pending",
        /// Agreed.
        Confirmed = "confirmed",
        /// Done.
        Completed = "completed",
    }
}

choice! {
    /// What is attached.
    pub enum Media {
        /// A picture.
        Image = "image",
        /// A voice note.
        Voice = "voice",
    }
}

record! {
    /// `chat.message`.
    pub struct ChatMessage<'a> {
        /// The conversation.
        pub conversation_id: ConversationId<'a>,
        /// Who wrote it.
        pub sender_id: UserId<'a>,
        /// Whom it is for.
        pub recipient_id: UserId<'a>,
        /// What it says.
        pub text: Due<FreeText<'a>>,
        /// The booking.
        pub booking_id: Option<BookingId<'a>>,
        /// How far the booking has come.
        pub booking_status: Option<BookingStatus>,
        /// What is attached.
        pub media: Option<Media>,
    }
}
