//! Where things are: cities (public coordinates, rounded), networks and what a geo-IP database says of them.
//!
//! Addresses are from ranges that no host has: 100.64.0.0/10 (carriers' shared space), 198.18.0.0/15 (benchmarks) and the
//! documentation ranges, so that a simulated day names nobody.

use crate::payload::Location;
use crate::random::Random;
use crate::wire::six_digits;

/// Metres in a degree of latitude on the mean sphere.
const DEGREE_M: f64 = 111_195.0;

/// A point, WGS 84 degrees.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Point {
    pub(crate) lat: f64,
    pub(crate) lon: f64,
}

impl Point {
    /// The point that many metres north and east, on the plane: good to 0.1 % within a city.
    pub(crate) fn offset(self, north_m: f64, east_m: f64) -> Self {
        let lon_degree = DEGREE_M * libm::cos(self.lat.to_radians());
        Self { lat: six_digits(self.lat + north_m / DEGREE_M), lon: six_digits(self.lon + east_m / lon_degree) }
    }

    /// A point within about that radius.
    pub(crate) fn near(self, random: &mut Random, radius_m: f64) -> Self {
        self.offset(random.real(-0.7, 0.7) * radius_m, random.real(-0.7, 0.7) * radius_m)
    }
}

/// A city of the marketplace.
#[derive(Debug)]
pub(crate) struct City {
    pub(crate) centre: Point,
    /// How far from the centre people live.
    pub(crate) radius_m: f64,
    /// Share of the people.
    weight: u32,
    /// The angle of its main streets against north, rad.
    pub(crate) grid_rad: f64,
    /// Whether main roads run through a tunnel.
    pub(crate) tunnel: bool,
}

const fn city(lat: f64, lon: f64, radius_m: f64, weight: u32, grid_rad: f64, tunnel: bool) -> City {
    City { centre: Point { lat, lon }, radius_m, weight, grid_rad, tunnel }
}

/// Cities with clients, taskers and drivers.
pub(crate) const CITIES: [City; 8] = [
    city(30.0444, 31.2357, 11_000.0, 38, 0.32, true), // Cairo
    city(30.0131, 31.2089, 8_000.0, 18, 0.55, false), // Giza
    city(31.2001, 29.9187, 9_000.0, 18, 0.85, true),  // Alexandria
    city(31.0409, 31.3785, 4_000.0, 8, 0.15, false),  // Mansoura
    city(30.7865, 31.0004, 3_500.0, 5, 0.4, false),   // Tanta
    city(27.1783, 31.1859, 4_000.0, 6, 0.7, false),   // Assiut
    city(31.2653, 32.3019, 3_000.0, 4, 0.05, false),  // Port Said
    city(25.6872, 32.6396, 3_500.0, 3, 0.6, false),   // Luxor
];

/// The city of that index; every index comes from a draw among them.
pub(crate) fn city_at(index: usize) -> &'static City {
    CITIES.get(index).unwrap_or(&CITIES[0])
}

/// A city by its share of the people.
pub(crate) fn draw_city(random: &mut Random) -> usize {
    random.weighted(&CITIES.map(|city| city.weight))
}

/// A place abroad that people fly to and attackers come from.
#[derive(Debug)]
pub(crate) struct Abroad {
    pub(crate) centre: Point,
    pub(crate) country: &'static str,
    /// Gate to gate from Cairo, minutes.
    pub(crate) flight_min: i64,
    /// Third byte of its addresses.
    net: u8,
}

const fn abroad(lat: f64, lon: f64, country: &'static str, flight_min: i64, net: u8) -> Abroad {
    Abroad { centre: Point { lat, lon }, country, flight_min, net }
}

/// Where travellers go.
pub(crate) const DESTINATIONS: [Abroad; 5] = [
    abroad(25.2048, 55.2708, "AE", 225, 1), // Dubai
    abroad(21.4858, 39.1925, "SA", 135, 2), // Jeddah
    abroad(41.0082, 28.9784, "TR", 145, 3), // Istanbul
    abroad(24.7136, 46.6753, "SA", 160, 4), // Riyadh
    abroad(29.3759, 47.9774, "KW", 165, 5), // Kuwait
];

/// Where attackers' lines end; all over 2 400 km from Egypt.
pub(crate) const LAIRS: [Abroad; 5] = [
    abroad(6.5244, 3.3792, "NG", 330, 21),    // Lagos
    abroad(55.7558, 37.6173, "RU", 290, 22),  // Moscow
    abroad(24.8607, 67.0011, "PK", 310, 23),  // Karachi
    abroad(19.0760, 72.8777, "IN", 350, 24),  // Mumbai
    abroad(10.8231, 106.6297, "VN", 690, 25), // Ho Chi Minh City
];

/// Cities where carriers' gateways are thought to be: far from most of their users.
const GATEWAYS: [usize; 5] = [0, 0, 2, 3, 5];
/// How many of a hundred logins come through each, for people north of Beni Suef and south of it.
const NORTH: [u32; 5] = [44, 24, 22, 10, 0];
const SOUTH: [u32; 5] = [20, 10, 0, 0, 70];
/// What a database says of a gateway's place, km: wrong by more than it admits.
const GATEWAY_ACCURACY_KM: [u32; 5] = [100, 250, 150, 200, 200];

/// The H3 cell of resolution 5 of each city's centre and the ring around it, in the order of the cities (computed with h3o).
const CELLS: [[&str; 7]; 8] = [
    ["853e628ffffffff", "853e628bfffffff", "853e6213fffffff", "853e6217fffffff", "853e62bbfffffff", "853e6287fffffff", "853e6283fffffff"],
    ["853e628ffffffff", "853e628bfffffff", "853e6213fffffff", "853e6217fffffff", "853e62bbfffffff", "853e6287fffffff", "853e6283fffffff"],
    ["853f5ba7fffffff", "853f5ba3fffffff", "853f5baffffffff", "853e66dbfffffff", "853e66d3fffffff", "853f596bfffffff", "853f5bb7fffffff"],
    ["853e66a7fffffff", "853e66a3fffffff", "853e66affffffff", "853e60dbfffffff", "853e60d3fffffff", "853e646bfffffff", "853e66b7fffffff"],
    ["853e6633fffffff", "853e6607fffffff", "853e663bfffffff", "853e6623fffffff", "853e6637fffffff", "853e66affffffff", "853e66abfffffff"],
    ["853e4667fffffff", "853e4663fffffff", "853e466ffffffff", "853e429bfffffff", "853e4293fffffff", "853e462bfffffff", "853e4677fffffff"],
    ["853e654bfffffff", "853e6097fffffff", "853e6087fffffff", "853e60b3fffffff", "853e654ffffffff", "853e6543fffffff", "853e655bfffffff"],
    ["853e5ddbfffffff", "853e5caffffffff", "853e5c37fffffff", "853e5dcbfffffff", "853e5dc3fffffff", "853e5dd3fffffff", "853e5ca7fffffff"],
];

/// The cells of that city: its centre's first.
pub(crate) fn cells(city: usize) -> &'static [&'static str] {
    CELLS.get(city).unwrap_or(&CELLS[0])
}

/// Where VPN exits are.
const EXITS: [(f64, f64, &str); 4] = [(52.3676, 4.9041, "NL"), (50.1109, 8.6821, "DE"), (51.5074, -0.1278, "GB"), (48.8566, 2.3522, "FR")];

/// One way to the internet, as the services see it.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) ip: String,
    pub(crate) asn: &'static str,
    pub(crate) country: &'static str,
    pub(crate) location: Location,
}

impl Network {
    fn new(random: &mut Random, ip: String, asn: &'static str, country: &'static str, centre: Point, accuracy_km: u32) -> Self {
        let believed = centre.near(random, f64::from(accuracy_km) * 150.0);
        let location = Location { lat: believed.lat, lon: believed.lon, accuracy_km: Some(accuracy_km), source: Some("geoip") };
        Self { ip, asn, country, location }
    }

    /// A home line. Outside Cairo a quarter of the prefixes are only known to be Egyptian, and are put in Cairo.
    pub(crate) fn home(random: &mut Random, city: usize) -> Self {
        let ip = format!("198.18.{}.{}", random.below(256), random.between(1, 254));
        if city > 1 && random.chance(0.25) {
            let accuracy = *random.pick(&[200, 200, 500]);
            return Self::new(random, ip, "residential", "EG", city_at(0).centre, accuracy);
        }
        let accuracy = *random.pick(&[5, 10, 20, 20, 50]);
        Self::new(random, ip, "residential", "EG", city_at(city).centre, accuracy)
    }

    /// A carrier's gateway: a dozen addresses a carrier for everybody (CGNAT), mostly in another city.
    pub(crate) fn carrier(random: &mut Random, carrier: u64, home: usize) -> Self {
        let south = city_at(home).centre.lat < 29.0;
        let gateway = random.weighted(if south { &SOUTH } else { &NORTH });
        let city = GATEWAYS.get(gateway).copied().unwrap_or(0);
        let accuracy = GATEWAY_ACCURACY_KM.get(gateway).copied().unwrap_or(200);
        let ip = format!("100.{}.{gateway}.{}", 64 + carrier % 4, random.between(1, 3));
        Self::new(random, ip, "mobile", "EG", city_at(city).centre, accuracy)
    }

    /// An office's line, shared by all who work there.
    pub(crate) fn office(random: &mut Random, office: usize, city: usize) -> Self {
        let asn = if office.is_multiple_of(3) { "corporate" } else { "residential" };
        Self::new(random, format!("198.19.0.{}", office + 1), asn, "EG", city_at(city).centre, 10)
    }

    /// Another address of the same /24.
    pub(crate) fn beside(&self, host: i64) -> Self {
        let Some((prefix, own)) = self.ip.rsplit_once('.') else { return self.clone() };
        let own: i64 = own.parse().unwrap_or(1);
        Self { ip: format!("{prefix}.{}", (own - 1 + host).rem_euclid(254) + 1), ..self.clone() }
    }

    /// The same line with an IPv6 address of the /64 of that number: a phone or a server takes any of its 2⁶⁴.
    pub(crate) fn six(&self, random: &mut Random, subnet: u32) -> Self {
        let [high, low] = [subnet >> 16, subnet & 0xffff];
        // Never a zero group: one spelling only.
        let [a, b, c, d] = [(); 4].map(|()| random.between(1, 0xffff));
        Self { ip: format!("2001:db8:{high:x}:{low:x}:{a:x}:{b:x}:{c:x}:{d:x}"), ..self.clone() }
    }

    /// The /24 or /48 that the address lies in.
    pub(crate) fn prefix(&self) -> String {
        match self.ip.rsplit_once('.') {
            Some((prefix, _)) => format!("{prefix}.0/24"),
            None => format!("{}::/48", self.ip.split(':').take(3).collect::<Vec<_>>().join(":")),
        }
    }

    /// One of a university's or a compound's few addresses, behind which thousands are (assumption: three).
    pub(crate) fn campus(random: &mut Random, campus: i64, city: usize) -> Self {
        let ip = format!("198.19.{}.{}", 2 + campus.rem_euclid(30), random.between(1, 3));
        Self::new(random, ip, "corporate", "EG", city_at(city).centre, 10)
    }

    /// A VPN's exit. A few services are not known as one.
    pub(crate) fn vpn(random: &mut Random) -> Self {
        let (lat, lon, country) = *random.pick(&EXITS);
        let asn = ["vpn", "hosting", "residential"].get(random.weighted(&[76, 20, 4])).copied().unwrap_or("vpn");
        let ip = format!("198.19.{}.{}", random.between(64, 95), random.between(1, 40));
        Self::new(random, ip, asn, country, Point { lat, lon }, 20)
    }

    /// A rented server.
    pub(crate) fn hosting(random: &mut Random) -> Self {
        let (lat, lon, country) = *random.pick(&EXITS);
        let ip = format!("198.19.{}.{}", random.between(128, 255), random.between(1, 254));
        Self::new(random, ip, "hosting", country, Point { lat, lon }, 20)
    }

    /// A line abroad.
    pub(crate) fn abroad(random: &mut Random, place: &Abroad) -> Self {
        let mobile = random.chance(0.4);
        let ip = format!(
            "{}.{}",
            if place.net < 20 { "203.0.113" } else { "192.0.2" },
            u64::from(place.net % 20) * 24 + random.between(1, 23).unsigned_abs()
        );
        let (asn, accuracy) = if mobile { ("mobile", 100) } else { ("residential", 20) };
        Self::new(random, ip, asn, place.country, place.centre, accuracy)
    }

    /// An ordinary line abroad, never a carrier's.
    pub(crate) fn abroad_home(random: &mut Random, place: &Abroad) -> Self {
        let mut line = Self::abroad(random, place);
        line.asn = "residential";
        line.location.accuracy_km = Some(20);
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_those_of_the_cities() {
        for (index, city) in CITIES.iter().enumerate() {
            let place = h3o::LatLng::new(city.centre.lat, city.centre.lon).unwrap();
            let ring: Vec<h3o::CellIndex> = place.to_cell(h3o::Resolution::Five).grid_disk(1);
            assert_eq!(cells(index), ring.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_line_has_neighbours_in_its_prefix() {
        let line = Network::hosting(&mut Random::of(1, "line", 0, 0));
        assert!((0..300).all(|host| line.beside(host).prefix() == line.prefix()));
        let six = line.six(&mut Random::of(1, "line", 1, 0), 0x0012_00ff);
        assert!(six.ip.starts_with("2001:db8:12:ff:"));
        assert_eq!(six.prefix(), "2001:db8:12::/48");
    }
}
