//! Honest life: what has digits in it and is no contact. Nothing may be said of it.

use crate::support::{Carrier, Rng, Sender, Table, carriers, kept_out, seed};

/// Messages of each class.
const TRIES: usize = 600;

/// A class by its name, and what draws one of it: a text for a sentence.
type Class = (&'static str, fn(&mut Rng) -> String);

const CLASSES: &[Class] = &[
    ("pins", pin),
    ("pins of the belt 30.00", belt),
    ("map links", map_link),
    ("work histories", history),
    ("decimals in columns", columns),
    ("dates", date),
    ("ranges of dates", dates),
    ("clock times", times),
    ("time stamps", stamp),
    ("prices", price),
    ("sums", sum),
    ("measures", measure),
    ("national ids", national_id),
    ("ibans", iban),
    ("cards", card),
    ("bank accounts", account),
    ("order ids", order),
    ("tracking ids", tracking),
    ("serials", serial),
    ("shop links", shop_link),
    ("other links", other_link),
    ("network addresses", network),
    ("hotlines", hotline),
    ("short codes", short_code),
    ("extensions alone", extension),
    ("models", model),
    ("addresses", address),
    ("franco words", franco),
    ("meter readings", meter),
    ("bus lines and trains", line),
    ("verses and pages", verse),
    ("scores", score),
    ("one-time codes refused", one_time_code),
    ("wifi", wifi),
    ("counting", counting),
    ("number words in talk", words),
    ("years", years),
    ("car plates", plate),
    ("barcodes", barcode),
    ("doses and shares", dose),
    ("registers and policies", register),
    ("lists of things", list),
    ("hashes and uuids", hash),
    ("versions and parts", part),
];

fn two(number: usize) -> String {
    format!("{number:02}")
}

/// Half of them in Arabic digits.
fn shown(rng: &mut Rng, text: String) -> String {
    if rng.chance(65) {
        return text;
    }
    text.chars().map(|c| c.to_digit(10).and_then(|digit| char::from_u32(0x660 + digit)).unwrap_or(c)).collect()
}

fn labelled(rng: &mut Rng, labels: &[&str], what: &str) -> String {
    format!("{} {what}", rng.one(labels))
}

fn decimals(rng: &mut Rng, whole: usize, places: usize) -> String {
    format!("{whole}.{}", rng.digits(places))
}

fn pair(rng: &mut Rng, latitude: &str, longitude: &str) -> String {
    match rng.below(9) {
        0 | 1 => format!("{latitude}, {longitude}"),
        2 => format!("{latitude},{longitude}"),
        3 => format!("{latitude} {longitude}"),
        4 => format!("lat {latitude} lng {longitude}"),
        5 => format!("({latitude}, {longitude})"),
        6 => format!("N{latitude} E{longitude}"),
        7 => format!("{latitude}N {longitude}E"),
        _ => format!("{latitude}° {longitude}°"),
    }
}

fn pin(rng: &mut Rng) -> String {
    let places = rng.between(4, 7);
    if rng.chance(15) {
        let (d, e) = (rng.between(22, 31), rng.between(25, 35));
        let part = |rng: &mut Rng| format!("{}'{}.{}\"", two(rng.below(60)), two(rng.below(60)), rng.below(10));
        return format!("{d}°{}N {e}°{}E", part(rng), part(rng));
    }
    let (north, east) = (rng.between(22, 31), rng.between(25, 35));
    let (latitude, longitude) = (decimals(rng, north, places), decimals(rng, east, places));
    let text = pair(rng, &latitude, &longitude);
    if rng.chance(20) { shown(rng, text).replace('.', "٫") } else { shown(rng, text) }
}

fn belt(rng: &mut Rng) -> String {
    let (places, more) = (rng.between(2, 5), rng.between(4, 7));
    let (latitude, longitude) = (format!("30.00{}", rng.digits(places)), decimals(rng, 31, more));
    let text = pair(rng, &latitude, &longitude);
    shown(rng, text)
}

fn map_link(rng: &mut Rng) -> String {
    let (latitude, longitude) = if rng.chance(50) {
        let places = rng.between(2, 5);
        (format!("30.00{}", rng.digits(places)), decimals(rng, 31, 7))
    } else {
        let (north, east) = (rng.between(22, 31), rng.between(25, 35));
        (decimals(rng, north, 6), decimals(rng, east, 7))
    };
    match rng.below(12) {
        0 => format!("https://maps.google.com/?q={latitude},{longitude}"),
        1 => format!("https://www.google.com/maps/@{latitude},{longitude},17z"),
        2 => format!("https://www.google.com/maps/place/{latitude},{longitude}"),
        3 => format!("https://www.google.com/maps/dir//{latitude},{longitude}/"),
        4 => format!("https://maps.apple.com/?ll={latitude},{longitude}&q=Home"),
        5 => format!("https://waze.com/ul?ll={latitude},{longitude}&navigate=yes"),
        6 => format!("https://www.openstreetmap.org/#map=17/{latitude}/{longitude}"),
        7 => format!("geo:{latitude},{longitude}"),
        8 => format!("https://www.google.com/maps/search/{latitude},+{longitude}?entry=tts"),
        9 => format!("https://www.google.com/maps?q={latitude},{longitude}&z=16"),
        10 => format!(
            "https://www.google.com/maps/place/x/@{latitude},{longitude},15z/data=!4m6!3m5!1s0x1458{}!8m2!3d{latitude}!4d{longitude}",
            rng.digits(6)
        ),
        _ => format!("https://maps.app.goo.gl/{}", rng.one(&["a1B2c3D4e5", "XyZ01012345678", "kq0100ab"])),
    }
}

fn month_year(rng: &mut Rng) -> String {
    format!("{}/{}", two(rng.between(1, 12)), rng.between(1998, 2026))
}

fn history(rng: &mut Rng) -> String {
    let jobs = &["electrician", "كهربائي", "plumber at Hilton", "سباك", "nurse", "sawa2", "مدرس رياضيات", "driver"];
    let dash = rng.one(&[" - ", "-", " – ", " to ", " — ", " إلى "]);
    let mut parts = Vec::new();
    for _ in 0..rng.between(1, 4) {
        let (from, to) = (month_year(rng), month_year(rng));
        let from = if rng.chance(20) { from.trim_start_matches('0').to_owned() } else { from };
        parts.push(match rng.below(4) {
            0 => format!("{} {from}{dash}{to}", rng.one(jobs)),
            1 => format!("{from}{dash}{to}: {}", rng.one(jobs)),
            2 => format!("{from}{dash}{to}"),
            _ => format!("{from}{dash}now {}", rng.one(jobs)),
        });
    }
    let text = parts.join(rng.one(&["\n", ", ", " ; "]));
    shown(rng, text)
}

fn columns(rng: &mut Rng) -> String {
    let places = rng.between(1, 3);
    let rows: Vec<String> = (0..rng.between(1, 4))
        .map(|_| {
            let cells: Vec<String> = (0..rng.between(2, 4))
                .map(|_| {
                    let most = rng.one(&[1, 30]);
                    let whole = rng.between(0, most);
                    decimals(rng, whole, places)
                })
                .collect();
            cells.join(rng.one(&[" ", "  ", "\t", " | "]))
        })
        .collect();
    rows.join("\n")
}

fn date(rng: &mut Rng) -> String {
    let (d, m, y) = (rng.between(1, 28), rng.between(1, 12), rng.between(1960, 2030));
    let mark = rng.one(&["/", "-", "."]);
    let text = match rng.below(7) {
        0 => format!("{}{mark}{}{mark}{y}", two(d), two(m)),
        1 => format!("{d}{mark}{m}{mark}{y}"),
        2 => format!("{y}{mark}{}{mark}{}", two(m), two(d)),
        3 => format!("{}{mark}{}", two(d), two(m)),
        4 => format!("{d} {} {y}", rng.one(&["January", "مايو", "yolyo", "Oct"])),
        5 => format!("{}{}{y}", two(d), two(m)),
        _ => format!("{}{mark}{}{mark}{}", two(d), two(m), two(y % 100)),
    };
    shown(rng, text)
}

fn dates(rng: &mut Rng) -> String {
    let mark = rng.one(&[".", "/", "-"]);
    let day = |rng: &mut Rng| format!("{}{mark}{}", two(rng.between(1, 28)), two(rng.between(1, 12)));
    let year = rng.between(2018, 2027);
    let dash = rng.one(&[" - ", "-", " – ", " to ", " إلى ", " : ", " "]);
    let (from, to) = (day(rng), day(rng));
    let text = match rng.below(5) {
        0 => format!("{from}{mark}{year}{dash}{to}{mark}{year}"),
        1 => format!("{from}{dash}{to}{mark}{year}"),
        2 => format!("{from}{dash}{to}"),
        3 => format!("{from}{dash}{to} {} each", rng.between(100, 900)),
        _ => format!("{from}, {to}, {}", day(rng)),
    };
    shown(rng, text)
}

fn times(rng: &mut Rng) -> String {
    let time = |rng: &mut Rng| format!("{}:{}", two(rng.below(24)), two(rng.below(12) * 5));
    let dash = rng.one(&[" - ", "-", " to ", " ل ", ", "]);
    let text = match rng.below(5) {
        0 => time(rng),
        1 => format!("{}{dash}{}", time(rng), time(rng)),
        2 => format!("{}{dash}{}{dash}{}", time(rng), time(rng), time(rng)),
        3 => format!("{}.{} {}", rng.between(1, 12), two(rng.below(60)), rng.one(&["am", "pm", "الصبح"])),
        _ => format!("{} {} {}", rng.between(1, 12), rng.between(1, 12), rng.between(1, 12)),
    };
    shown(rng, text)
}

fn stamp(rng: &mut Rng) -> String {
    let day = format!("{}-{}-{}", rng.between(2009, 2026), two(rng.between(1, 12)), two(rng.between(1, 28)));
    let time = format!("{}:{}", two(rng.below(24)), two(rng.below(60)));
    match rng.below(4) {
        0 => format!("{day} {time}"),
        1 => format!("{day}T{time}:{}", two(rng.below(60))),
        2 => format!("{} {time}", day.replace('-', "/")),
        _ => format!("{}_{}", day.replace('-', ""), time.replace(':', "")),
    }
}

fn price(rng: &mut Rng) -> String {
    let hundreds = rng.between(1, 99);
    let amount = match rng.below(5) {
        0 => format!("{},{}", rng.between(1, 99), rng.digits(3)),
        1 => format!("{},{}.{}", rng.between(1, 99), rng.digits(3), rng.digits(2)),
        2 => format!("{}.{}", rng.between(1, 9999), rng.digits(2)),
        3 => format!("{}00 - {}00", hundreds, hundreds + rng.between(1, 20)),
        _ => format!("{}", rng.between(1, 999_999)),
    };
    let text = format!("{amount} {}", rng.one(&["جنيه", "egp", "LE", "geneh", "ج", "pounds", "L.E.", "ج.م"]));
    shown(rng, text)
}

fn sum(rng: &mut Rng) -> String {
    let (a, b, c, d) = (rng.between(1, 9), rng.between(10, 999), rng.between(1, 9), rng.between(10, 999));
    let text = match rng.below(3) {
        0 => format!("{a} x {b} + {c} x {d} = {}", a * b + c * d),
        1 => format!("{b} + {d} = {}", b + d),
        _ => format!("{b}*{a}={} {d}*{c}={}", b * a, d * c),
    };
    shown(rng, text)
}

fn measure(rng: &mut Rng) -> String {
    let (a, b, c) = (rng.between(10, 400), rng.between(10, 400), rng.between(1, 90));
    let text = match rng.below(6) {
        0 => format!("{a}x{b}"),
        1 => format!("{a} x {b} x {c} {}", rng.one(&["cm", "سم", "sm"])),
        2 => format!("{a}*{b}*{c}"),
        3 => format!("{a}x{b} - {b}x{c} - {c}x{a}"),
        4 => format!("{}.{} m, {}.{} m", rng.below(9), rng.digits(2), rng.below(9), rng.digits(2)),
        _ => format!("{a} {}", rng.one(&["متر", "kg", "watt", "لتر", "metr", "inch", "btu"])),
    };
    shown(rng, text)
}

fn national_id(rng: &mut Rng) -> String {
    let born = format!("{}{}{}{}", rng.between(2, 3), two(rng.below(16)), two(rng.between(1, 12)), two(rng.between(1, 28)));
    let id = format!("{born}{}{}", rng.one(&["01", "02", "12", "21", "88"]), rng.digits(5));
    let text = match rng.below(4) {
        0 => format!("{} {} {}", &id[..1], &id[1..7], &id[7..]),
        1 => id.as_bytes().chunks(4).map(|chunk| String::from_utf8_lossy(chunk).into_owned()).collect::<Vec<_>>().join(" "),
        _ => id,
    };
    let text = shown(rng, text);
    if rng.chance(60) {
        labelled(rng, &["الرقم القومي", "بطاقتي", "national id", "el raqam el qawmy", "ID"], &text)
    } else {
        text
    }
}

fn in_fours(digits: &str, mark: &str) -> String {
    digits.as_bytes().chunks(4).map(|chunk| String::from_utf8_lossy(chunk).into_owned()).collect::<Vec<_>>().join(mark)
}

fn iban(rng: &mut Rng) -> String {
    let (check, bank, zeros) = (rng.digits(2), rng.between(1, 99), rng.between(0, 9));
    let rest = format!("{bank:04}{:04}{}{}", rng.between(1, 400), "0".repeat(zeros), rng.digits(17 - zeros));
    let whole = format!("EG{check}{rest}");
    let text = match rng.below(4) {
        0 | 1 => in_fours(&whole, " "),
        2 => in_fours(&whole, "-"),
        _ => whole,
    };
    if rng.chance(60) { labelled(rng, &["IBAN", "ايبان", "الحساب", "iban:"], &text) } else { text }
}

fn card(rng: &mut Rng) -> String {
    let digits = format!("{}{}", rng.one(&["4", "5", "50", "507"]), rng.digits(16));
    let digits = &digits[..16];
    let text = match rng.below(4) {
        0 => digits.to_owned(),
        1 => in_fours(digits, "-"),
        _ => in_fours(digits, " "),
    };
    let text = shown(rng, text);
    if rng.chance(60) { labelled(rng, &["visa", "الفيزا", "card", "كارت ميزة", "meeza"], &text) } else { text }
}

/// An identifier with a label; none that is a whole mobile number, which no reader could tell from one.
fn identifier(rng: &mut Rng, labels: &[&str], lengths: (usize, usize)) -> String {
    let length = rng.between(lengths.0, lengths.1);
    let mut digits = rng.digits(length);
    while length == 11 && digits.starts_with("01") {
        digits = rng.digits(length);
    }
    let text = shown(rng, digits);
    labelled(rng, labels, &text)
}

fn account(rng: &mut Rng) -> String {
    if rng.chance(40) {
        let text = format!("00{}-{}-{}", rng.digits(2), rng.digits(6), rng.digits(3));
        return labelled(rng, &["account", "حساب", "7esab", "رقم الحساب"], &text);
    }
    identifier(rng, &["account", "رقم الحساب", "حساب بنك مصر", "7esab", "acc no"], (10, 16))
}

fn order(rng: &mut Rng) -> String {
    match rng.below(4) {
        0 => format!("{}-{}-{}", rng.one(&["INV", "ORD", "KH", "SO"]), rng.digits(4), rng.digits(4)),
        1 => format!("#{}", rng.digits(7)),
        _ => identifier(
            rng,
            &["order", "رقم الطلب", "اوردر", "order no.", "el order", "booking", "رقم الحجز", "فاتورة رقم", "ticket"],
            (6, 13),
        ),
    }
}

fn tracking(rng: &mut Rng) -> String {
    match rng.below(3) {
        0 => format!("{}{}{}", rng.one(&["EE", "RR", "CP"]), rng.digits(9), "EG"),
        1 => format!("aramex {}", rng.digits(11).replacen('0', "4", 1)),
        _ => identifier(rng, &["tracking", "رقم الشحنة", "بوليصة", "shipment", "tracking no:"], (12, 18)),
    }
}

fn serial(rng: &mut Rng) -> String {
    match rng.below(4) {
        0 => format!("S/N {}{}", rng.one(&["ADQ", "LG", "MX", "C02"]), rng.digits(8)),
        1 => format!("IMEI 35{}", rng.digits(13)),
        2 => format!("SN: {}-{}-{}", rng.digits(4), rng.digits(4), rng.digits(4)),
        _ => identifier(rng, &["serial", "سيريال", "السيريال نمبر", "serial number", "SN"], (8, 16)),
    }
}

fn shop_link(rng: &mut Rng) -> String {
    let id = format!("01{}{}", rng.one(&["0", "1", "2", "5", "7"]), rng.digits(8));
    match rng.below(8) {
        0 => format!("https://www.noon.com/egypt-en/p/N{id}A/p"),
        1 => format!("https://shop.example/p/{id}?v=2"),
        2 => format!("https://www.amazon.eg/dp/B0CABCDEFG?ref={id}"),
        3 => format!("https://www.jumia.com.eg/ar/catalog/?q={id}"),
        4 => format!("https://www.ikea.com/eg/en/p/billy-{}/", rng.digits(8)),
        5 => format!("www.olx.com.eg/ad/ID{id}.html"),
        6 => format!("https://www.dubizzle.com.eg/en/ad/flat-{id}"),
        _ => format!("https://b.tech/item/{id}/{}", rng.digits(11)),
    }
}

fn other_link(rng: &mut Rng) -> String {
    match rng.below(5) {
        0 => format!("https://youtu.be/{}", rng.one(&["dQw4w9WgXcQ", "a01012345678", "0112_345678"])),
        1 => format!("https://drive.google.com/file/d/1{}abc/view", rng.digits(12)),
        2 => format!("https://example.com/photo_{}_{}.jpg", rng.digits(8), rng.digits(6)),
        3 => format!("https://www.youtube.com/watch?v=abc&t={}", rng.digits(11)),
        _ => format!("https://cdn.example.com/img/01{}.png", rng.digits(9)),
    }
}

fn network(rng: &mut Rng) -> String {
    let part = |rng: &mut Rng| rng.below(256).to_string();
    match rng.below(4) {
        0 => format!("192.168.{}.{}", part(rng), part(rng)),
        1 => format!("10.{}.{}.{} / 255.255.255.0 gateway 10.0.0.1", part(rng), part(rng), part(rng)),
        2 => format!("IP {}.{}.{}.{}:8080", part(rng), part(rng), part(rng), part(rng)),
        _ => format!("mac 00:1{}:{}:{}:{}:{}", rng.below(10), rng.digits(2), rng.digits(2), rng.digits(2), rng.digits(2)),
    }
}

fn hotline(rng: &mut Rng) -> String {
    let number = match rng.below(4) {
        0 => format!("0800{}", rng.digits(7)),
        1 => format!("0900{}", rng.digits(7)),
        _ => format!("1{}{}", rng.one(&["6", "7", "9"]), rng.digits(3)),
    };
    labelled(rng, &["الخط الساخن", "hotline", "خدمة العملاء", "5edmet el 3omala2", "call center", "اتصلت بـ"], &number)
}

fn short_code(rng: &mut Rng) -> String {
    match rng.below(3) {
        0 => format!("{} {}", rng.one(&["اسعاف", "police", "المطافي", "el nagda"]), rng.one(&["122", "123", "180", "126"])),
        1 => format!("*{}#", rng.one(&["100", "868*2", "9*01012", "858"])),
        _ => format!("{} {}", rng.one(&["بعت رسالة ل", "sms to"]), rng.one(&["34455", "5030", "2345"])),
    }
}

fn extension(rng: &mut Rng) -> String {
    let count = rng.between(2, 4);
    let number = rng.digits(count);
    labelled(rng, &["ext", "extension", "داخلي", "تحويلة", "room"], &number)
}

fn model(rng: &mut Rng) -> String {
    let names = &[
        "iPhone 12 Pro Max 256GB",
        "Samsung A52s 5G",
        "RTX 3060 12GB",
        "Galaxy S21 FE",
        "ADQ73214404",
        "SKF 6203-2RSH",
        "LG 55UP7550PVG",
        "Sharp AH-A12YSE",
        "Carrier 38QHCT12N",
        "HP LaserJet 1020",
        "Canon 2900",
        "R134a R410a",
        "تكييف شارب 1.5 حصان AH-AP12UHE",
        "زانوسي ZWF71240W",
        "Toyota Corolla 2015 1.6",
        "Intel i5-10210U 1.60GHz",
        "PVC 110mm 4 inch",
    ];
    let (digits, more) = (rng.digits(4), rng.digits(6));
    match rng.below(3) {
        0 => format!("model {}{digits}-{more}", rng.one(&["WF", "TV", "AC"])),
        _ => rng.one(names).to_owned(),
    }
}

fn address(rng: &mut Rng) -> String {
    let (a, b, c, d) = (rng.between(1, 120), rng.between(1, 400), rng.between(1, 15), rng.between(1, 90));
    let text = match rng.below(6) {
        0 => format!("{a} شارع عباس العقاد، الدور {c} شقة {d}"),
        1 => format!("building {a} street {b} floor {c} flat {d}"),
        2 => format!("3emara {a} share3 {b} el dor {c} sha2a {d}"),
        3 => format!("مجموعة {a} عمارة {b} مدخل {c} شقة {d} الرحاب"),
        4 => format!("Villa {a}, Block {b}, District {c}, 6th of October, 12{}", rng.digits(3)),
        _ => format!("{a} ش {b} متفرع من ش {c} - الدور {d} - كود بريدي 11{}", rng.digits(3)),
    };
    shown(rng, text)
}

fn franco(rng: &mut Rng) -> String {
    let words = &[
        "3ala",
        "7aga",
        "2ol",
        "ma32ool",
        "5alas",
        "el7amdolellah",
        "6ab3an",
        "9a7",
        "m3ak",
        "2a3da",
        "7abibi",
        "3ayez",
        "3andy",
        "2ol2as",
        "5osoosan",
        "la2",
        "ba2a",
        "7ata",
        "3omry",
        "el3a4ra",
        "sa3b",
        "ra7",
        "ga2ely",
        "2elly",
        "8aly",
        "5 3yal",
        "w7da",
        "el 2oda",
        "3a4an",
        "2olt 2 3",
    ];
    (0..rng.between(3, 9)).map(|_| rng.one(words)).collect::<Vec<_>>().join(" ")
}

fn meter(rng: &mut Rng) -> String {
    if rng.chance(30) {
        return format!("{} 0{}", rng.one(&["meter reading", "قراءة العداد", "2erayet el 3addad"]), rng.digits(9));
    }
    identifier(rng, &["meter reading", "قراية العداد", "عداد الكهربا", "3addad el gaz", "رقم العداد", "meter no"], (4, 13))
}

fn line(rng: &mut Rng) -> String {
    let (a, b) = (rng.between(1, 999), rng.between(1, 999));
    let text = match rng.below(4) {
        0 => format!("اتوبيس {a} او {b}"),
        1 => format!("bus {a} then metro line {}", rng.between(1, 3)),
        2 => format!("قطر {a} عربية {} كرسي {}", rng.between(1, 12), rng.between(1, 80)),
        _ => format!("flight MS{a} gate {} seat {}A", rng.between(1, 40), rng.between(1, 40)),
    };
    shown(rng, text)
}

fn verse(rng: &mut Rng) -> String {
    let (a, b, c) = (rng.between(1, 114), rng.between(1, 286), rng.between(1, 600));
    let text = match rng.below(4) {
        0 => format!("سورة البقرة {a}:{b}"),
        1 => format!("verse {a}:{b}-{}", b + 3),
        2 => format!("pages {c}-{} and {}", c + 10, c + 40),
        _ => format!("صفحة {c} تمرين {a} و{b}"),
    };
    shown(rng, text)
}

fn score(rng: &mut Rng) -> String {
    let goals = |rng: &mut Rng| format!("{}-{}", rng.below(6), rng.below(6));
    let text = match rng.below(3) {
        0 => format!("الاهلي {} الزمالك", goals(rng)),
        1 => format!("{} {} {}", goals(rng), goals(rng), goals(rng)),
        _ => format!("6-4 {} 7-6 ({}-{})", goals(rng), rng.below(9), rng.below(9)),
    };
    shown(rng, text)
}

fn one_time_code(rng: &mut Rng) -> String {
    let count = rng.one(&[4, 6]);
    let code = rng.digits(count);
    let text = match rng.below(5) {
        0 => format!("الكود {code} جالي ومش هقوله لحد"),
        1 => format!("I got the code {code} and will not share it"),
        2 => format!("kood {code} geh w msh hab3ato le 7ad"),
        3 => format!("G-{code}, which came by SMS and is for nobody"),
        _ => format!("رمز التحقق {code} لا تشاركه"),
    };
    shown(rng, text)
}

fn wifi(rng: &mut Rng) -> String {
    match rng.below(4) {
        0 => format!("wifi WE_{} password {}ab{}", rng.digits(6), rng.digits(3), rng.digits(3)),
        1 => format!("الواي فاي TEDATA{} والباسورد {}", rng.digits(4), rng.digits(8)),
        2 => format!("el wifi Orange-{} el password {}", rng.digits(4), rng.digits(8)),
        _ => format!("network HUAWEI-B315-{} pass {}", rng.digits(4), rng.digits(8)),
    }
}

fn counting(rng: &mut Rng) -> String {
    const WORDS: [[&str; 12]; 3] = [
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"],
        ["واحد", "اتنين", "تلاتة", "اربعة", "خمسة", "ستة", "سبعة", "تمانية", "تسعة", "عشرة", "حداشر", "اتناشر"],
        ["wa7ed", "etneen", "talata", "arba3a", "5amsa", "setta", "sab3a", "tamanya", "tes3a", "3ashara", "7edashar", "etnashar"],
    ];
    let mark = rng.one(&[" ", ", ", " - ", "\n"]);
    let last = rng.between(5, 12);
    match rng.below(4) {
        0 => {
            let words = rng.pick(&WORDS);
            words[..last].join(mark)
        }
        1 => (1..=rng.between(5, 20)).map(two).collect::<Vec<_>>().join(mark),
        2 => (0..last).rev().map(|number| number.to_string()).collect::<Vec<_>>().join(mark),
        _ => {
            let text = (1..=rng.between(5, 20)).map(|number| number.to_string()).collect::<Vec<_>>().join(mark);
            shown(rng, text)
        }
    }
}

fn words(rng: &mut Rng) -> String {
    rng.one(&[
        "three rooms and two bathrooms, one kitchen",
        "عندي تلات اوض وحمامين وصالة واحدة",
        "3andy talat owad w 7amamein",
        "five or six hours, two workers",
        "مية وخمسين متر تلاتة دور",
        "twenty five chairs, four tables and one zero-gravity seat",
        "خمسة ستة سبعة ايام بالكتير",
        "etnein talata bel kteer",
        "one or two, maybe three",
        "ساعتين تلاتة",
        "half past ten or quarter to eleven",
        "مرتين في الاسبوع",
        "two times three is six",
        "ميتين وخمسين جنيه لتلات ساعات",
        "zero problems, one visit, two men",
        "واحد فيهم بس من العشرة",
    ])
    .to_owned()
}

fn years(rng: &mut Rng) -> String {
    let mark = rng.one(&[" ", ", ", "-", "/", " و"]);
    let text = (0..rng.between(2, 4)).map(|_| rng.between(2008, 2016).to_string()).collect::<Vec<_>>().join(mark);
    shown(rng, text)
}

fn plate(rng: &mut Rng) -> String {
    let number = rng.between(100, 9999).to_string();
    let text = format!("{} {}", rng.one(&["س ج ب", "ق ه ر", "car plate", "عربية رقم", "3arabeya ba", "أ ب ج"]), number);
    shown(rng, text)
}

fn barcode(rng: &mut Rng) -> String {
    let (digits, isbn) = (rng.digits(10), rng.digits(9));
    match rng.below(3) {
        0 => format!("622{digits}"),
        1 => format!("ISBN 978-{}-{}-{}-{}", &isbn[..3], &isbn[3..5], &isbn[5..8], &isbn[8..]),
        _ => format!("{} 622{digits}", rng.one(&["barcode", "باركود", "sku"])),
    }
}

fn dose(rng: &mut Rng) -> String {
    let (a, b, c) = (rng.between(1, 100), rng.between(1, 12), rng.between(1, 30));
    let text = match rng.below(4) {
        0 => format!("{a}% او {b}/{c}"),
        1 => format!("{b} x {c} mg every {b} hours for {c} days"),
        2 => format!("{a}.{b}% و {c}.{b}%"),
        _ => format!("{b}:{c}:{a}"),
    };
    shown(rng, text)
}

fn register(rng: &mut Rng) -> String {
    match rng.below(3) {
        0 => format!("بطاقة ضريبية {}-{}-{}", rng.digits(3), rng.digits(3), rng.digits(3)),
        1 => format!("passport A{}", rng.digits(8)),
        _ => identifier(rng, &["سجل تجاري", "رخصة رقم", "policy no", "tax id", "رقم الوثيقة", "license", "رقم ضريبي"], (6, 12)),
    }
}

fn list(rng: &mut Rng) -> String {
    let things = &["bags", "شكارة اسمنت", "metr selk", "screws", "مسمار", "لمبة", "boxes", "علبة"];
    let count = rng.between(2, 5);
    let items: Vec<String> = (1..=count).map(|number| format!("{number}) {} {}", rng.between(1, 300), rng.one(things))).collect();
    let text = items.join(rng.one(&["\n", ", ", " "]));
    shown(rng, text)
}

fn hash(rng: &mut Rng) -> String {
    let hex =
        |rng: &mut Rng, count: usize| (0..count).map(|_| rng.one(&['0', '1', '2', '5', '7', '9', 'a', 'b', 'e', 'f'])).collect::<String>();
    match rng.below(2) {
        0 => format!("{}-{}-4{}-{}-{}", hex(rng, 8), hex(rng, 4), hex(rng, 3), hex(rng, 4), hex(rng, 12)),
        _ => hex(rng, 40),
    }
}

fn part(rng: &mut Rng) -> String {
    let (a, b, c, d) = (rng.below(20), rng.below(20), rng.below(300), rng.below(9999));
    match rng.below(3) {
        0 => format!("version {a}.{b}.{c}.{d}"),
        1 => format!("part {}-{}-{}", rng.digits(3), rng.digits(4), rng.digits(2)),
        _ => format!("v{a}.{b} build {}", rng.digits(6)),
    }
}

/// Talk over several messages, each with figures in it.
const TALK: &[&[&str]] = &[
    &["1200", "or 1500", "make it 1350", "ok 1400"],
    &["عمارة 10", "الدور 12", "شقة 15"],
    &["at 10", "11?", "12 is better", "ok 12:30"],
    &["60x90", "80x120", "100x150"],
    &["10", "11", "12", "15", "20", "25", "30"],
    &["2 bags", "15 metr", "3 boxes", "100 screws"],
    &["the code is 4821", "it is 1022 now", "flat 5"],
    &["order 8845120", "10 pieces", "and 1234 more"],
    &["01/02", "05/02", "12/02/2026"],
    &["30.0046", "31.2972"],
    &["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"],
    &["0", "5", "10", "15"],
];

fn told(text: &str) -> Option<String> {
    Sender::new().writes(text, 0).map(|found| format!("{} {}", found.kind, found.evidence))
}

fn table(seed: u64) -> Table {
    let sentences: Vec<Carrier> = carriers(include_str!("honest.tsv"));
    let mut table = Table::default();
    for (name, draw) in CLASSES {
        let mut rng = Rng::new(seed, name);
        for _ in 0..TRIES {
            let sentence = rng.pick(&sentences);
            let text = sentence.with(&draw(&mut rng));
            let said = told(&text);
            table.count(name, sentence.kept_out, said.is_some(), said.is_some(), || format!("{text:?} is {said:?}"));
        }
    }
    for talk in TALK {
        let mut sender = Sender::new();
        let said: Vec<String> =
            talk.iter().zip(0..).filter_map(|(text, at)| sender.writes(text, 15 * at).map(|found| found.evidence)).collect();
        table.count("talk over messages", kept_out(&talk.join(" "), 3), !said.is_empty(), !said.is_empty(), || {
            format!("{talk:?} is {said:?}")
        });
    }
    table
}

#[test]
fn honest_talk_is_left_alone() {
    let table = table(seed());
    table.print("false finds by class", 4);
    assert!(table.rows().count() > 30);
    for row in table.rows() {
        let wrong = table.of_both(row);
        assert!(wrong <= ROW_MAX, "{wrong:.2} % of {row} are called leaks");
    }
    let ((tuned, _), (kept, _)) = (table.total(false), table.total(true));
    assert!(tuned.max(kept) <= TOTAL_MAX, "{tuned:.2} and {kept:.2} % of honest messages are called leaks");
}

/// Per cent of a class that may be called leaks.
const ROW_MAX: f64 = 1.5;
/// The same of all messages.
const TOTAL_MAX: f64 = 0.3;
