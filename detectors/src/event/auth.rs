//! The `auth` family: logins, one-time codes, devices, SIM cards and credentials.

use super::field::Due;
use super::position::Location;
use super::text::{DeviceId, Fingerprint, IpAddress, Phone, Reason, UserId};
use super::units::{Count, Country};
use crate::{choice, record};

choice! {
    /// What kind of network an address belongs to.
    pub enum AsnType {
        /// A mobile carrier: many people behind one address.
        Mobile = "mobile",
        /// A home line.
        Residential = "residential",
        /// A data centre.
        Hosting = "hosting",
        /// A VPN or relay.
        Vpn = "vpn",
        /// A company.
        Corporate = "corporate",
        /// A satellite operator: the place says nothing.
        Satellite = "satellite",
    }
}

choice! {
    /// How a person proved who they are.
    pub enum LoginMethod {
        /// A one-time code.
        Otp = "otp",
        /// A password.
        Password = "password",
        /// A refresh token.
        Refresh = "refresh",
    }
}

record! {
    /// `auth.login_succeeded`: somebody was let in.
    pub struct Login<'a> {
        /// The account.
        pub user_id: UserId<'a>,
        /// The device.
        pub device_id: DeviceId<'a>,
        /// The address.
        pub ip: IpAddress<'a>,
        /// Where it seems to come from.
        pub location: Option<Location>,
        /// The address's country.
        pub country: Option<Country>,
        /// The number of the address's autonomous system.
        pub asn: Option<Count>,
        /// The address's kind of network.
        pub asn_type: Option<AsnType>,
        /// How it was proved.
        pub method: Option<LoginMethod>,
    }
}

record! {
    /// `auth.login_failed`: somebody was not let in.
    pub struct LoginFailed<'a> {
        /// The account that was tried, where it is known.
        pub user_id: Option<UserId<'a>>,
        /// The device.
        pub device_id: Option<DeviceId<'a>>,
        /// The address.
        pub ip: IpAddress<'a>,
        /// Where it seems to come from.
        pub location: Option<Location>,
        /// The address's country.
        pub country: Option<Country>,
        /// The address's kind of network.
        pub asn_type: Option<AsnType>,
        /// Why.
        pub reason: Option<Reason<'a>>,
    }
}

choice! {
    /// What a one-time code is for.
    pub enum OtpPurpose {
        /// To log in.
        Login = "login",
        /// To make an account.
        Signup = "signup",
        /// To release a payout.
        Payout = "payout",
        /// To change the phone number.
        ChangePhone = "change_phone",
        /// To reset a credential.
        Reset = "reset",
    }
}

choice! {
    /// How a one-time code is sent.
    pub enum OtpChannel {
        /// Text message.
        Sms = "sms",
        /// WhatsApp.
        Whatsapp = "whatsapp",
        /// Voice call.
        Voice = "voice",
    }
}

record! {
    /// `auth.otp_requested`, `auth.otp_verified`, `auth.otp_failed`: a one-time code's life.
    pub struct Otp<'a> {
        /// The number it is sent to.
        pub phone: Phone<'a>,
        /// The account, where it is known.
        pub user_id: Option<UserId<'a>>,
        /// The device that asks.
        pub device_id: Option<DeviceId<'a>>,
        /// The address that asks.
        pub ip: IpAddress<'a>,
        /// Where it seems to come from.
        pub location: Option<Location>,
        /// What it is for.
        pub purpose: Due<OtpPurpose>,
        /// The address's country.
        pub country: Option<Country>,
        /// The address's kind of network.
        pub asn_type: Option<AsnType>,
        /// How it is sent.
        pub channel: Option<OtpChannel>,
    }
}

record! {
    /// `auth.device_bound`: an account is tied to a device.
    pub struct DeviceBound<'a> {
        /// The account.
        pub user_id: UserId<'a>,
        /// The device.
        pub device_id: DeviceId<'a>,
        /// Its fingerprint.
        pub fingerprint: Option<Fingerprint<'a>>,
        /// Whether it is an emulator.
        pub emulator: Option<bool>,
        /// Whether it is rooted or jailbroken.
        pub rooted: Option<bool>,
    }
}

choice! {
    /// Who says that a SIM card changed.
    pub enum SimReporter {
        /// The carrier.
        Telco = "telco",
        /// The device.
        Device = "device",
    }
}

record! {
    /// `auth.sim_changed`: a number is on another SIM card.
    pub struct SimChanged<'a> {
        /// The number.
        pub phone: Phone<'a>,
        /// The account, where it is known.
        pub user_id: Option<UserId<'a>>,
        /// Who says so.
        pub reported_by: Due<SimReporter>,
    }
}

choice! {
    /// Which credential changed.
    pub enum Credential {
        /// The phone number.
        Phone = "phone",
        /// The password.
        Password = "password",
        /// The account that payouts go to.
        PayoutAccount = "payout_account",
    }
}

record! {
    /// `auth.credential_changed`: what an account is reached or paid by is another now.
    pub struct CredentialChanged<'a> {
        /// The account.
        pub user_id: UserId<'a>,
        /// The device it was done from.
        pub device_id: DeviceId<'a>,
        /// The address it was done from.
        pub ip: Option<IpAddress<'a>>,
        /// Which credential.
        pub what: Due<Credential>,
    }
}
