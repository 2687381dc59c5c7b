//! The words that contact details are made of, and those around them, in Arabic, Franco-Arabic and English.
//!
//! ```text
//! plain key    letters, a run of one letter counted once      zeeero = zero, sittta = sita
//! Franco key   the sound: 7→h, 5 and kh→x, 3→a, e i y→i, o u→u   wa7ed = wahed = wahid, 5amsa = khamsa = 7'amsa
//! disguised    digits that stand for letters, in English words    thr33 = three
//! ```
//!
//! Each word is one lookup in one table of 64-bit hashes; prefixes (و, ال, ب …) are taken off Arabic words that miss,
//! and possessive endings are put on nouns when the table is made. So an entry here covers a family of spellings.

use std::sync::LazyLock;

use super::normalise::{self, Sym};

/// What a word means as a number.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Num {
    #[default]
    None,
    /// 0 to 99, and hundreds. English puts tens before ones, Arabic after an "and".
    Value { value: u16, english: bool },
    /// Several of a digit: "threes", اصفار.
    Plural(u8),
    /// What follows, so many times: "double".
    Repeat(u8),
    /// What came before, once more: "twice", مرتين.
    Again,
    /// "hundred", after a count.
    Hundred,
    /// "plus": what follows is an international number.
    Plus,
}

/// What is known of a word.
#[derive(Clone, Copy, Default)]
pub(super) struct Lex {
    pub(super) num: Num,
    pub(super) class: u32,
    /// It was glued to an "and": وستين.
    pub(super) and: bool,
}

impl Lex {
    pub(super) fn is_number(self) -> bool {
        !matches!(self.num, Num::None | Num::Plus)
    }

    pub(super) fn is(self, class: u32) -> bool {
        self.class & class != 0
    }
}

macro_rules! classes {
    ($($(#[$meta:meta])* $name:ident,)*) => { classes!(@ 0_u32; $($(#[$meta])* $name,)*); };
    (@ $bit:expr; $(#[$meta:meta])* $name:ident, $($rest:tt)*) => {
        $(#[$meta])*
        pub(super) const $name: u32 = 1 << ($bit);
        classes!(@ $bit + 1; $($rest)*);
    };
    (@ $bit:expr;) => {};
}

classes! {
    /// Telephones, and ringing somebody: what follows may well be a number.
    CALL,
    /// A telephone or its number, as a thing that somebody has.
    PHONE,
    /// "number" alone: of anything.
    NUMBER,
    /// Things that have long numbers of their own.
    LOWER,
    /// Measures, money, clock times, parts of an address.
    UNIT,
    /// "backwards".
    REVERSE,
    /// "at" in an e-mail address.
    AT,
    /// "dot".
    DOT,
    /// "underscore".
    UNDERSCORE,
    /// "slash".
    SLASH,
    /// "and".
    AND,
    /// Words that people put between the pieces of a number.
    LINK,
    /// A messenger or a social network.
    CHANNEL,
    /// A provider of mailboxes.
    MAIL,
    /// Last label of a domain.
    TLD,
    /// A name on some platform.
    USER,
    /// "add me", "look for me".
    FIND,
    /// A site of one's own.
    SITE,
    /// Negation, refusal.
    NEG,
    /// This app, this chat.
    APP,
    /// "here".
    HERE,
    /// "outside".
    OUTSIDE,
    /// Asking for something, or giving it.
    ASK,
    /// "Talk to me": calling, writing, sending to the one who speaks.
    TALK,
    /// "let us agree", paying.
    DEAL,
    /// "your".
    YOURS,
    /// "my".
    MINE,
    /// "better", "instead".
    BETTER,
    /// "directly".
    DIRECT,
    /// Broken, wanted for work: the platform is the job.
    JOB,
    /// "is", "it", "at": what stands between a platform and a name on it.
    FILLER,
    /// Zero is spoken of.
    ZERO,
}

/// Numbers: value, Arabic, Franco, English.
const NUMBERS: &[(u16, &str, &str, &str)] = &[
    (0, "صفر زيرو زورو", "sefr sifr zero zeero zeru safr", "zero oh nought naught"),
    (1, "واحد واحده وحده", "wa7ed wa7d wa7da we7ed wahad", "one"),
    (2, "اتنين اتنان اتنتين تنين اتنيين", "etnen itnin etnin tnen ethnein itnein etneen tneen etnein", "two"),
    (3, "تلاته تلات تلت تلته", "talata tlata talta tlatah talatah talat talet", "three"),
    (4, "اربعه اربع اربعا", "arba3a arb3a arba3 arbe3a rab3a arba3ah", "four"),
    (5, "خمسه خمس", "5amsa 5amsah 5ams 5amas khamseh", "five"),
    (6, "سته ست", "setta sitta settah", "six"),
    (7, "سبعه سبع", "sab3a sab3ah saba3a sab3 sabe3a", "seven"),
    (8, "تمانيه تمنيه تماني تمان تمن تمانيا", "tamanya tmanya tamanyah tamania tamany tmania tamanyeh tamnya", "eight"),
    (9, "تسعه تسع", "tes3a tis3a tes3ah tas3a tes3 tesa3a", "nine"),
    (10, "عشره عشر", "3ashara 3ashra 3shara 3ashrah", "ten"),
    (11, "حداشر احداشر حداشرة", "7edashar 7idashar 7dashar 7adashar 7edasher", "eleven"),
    (12, "اتناشر اطناشر تناشر", "etnashar itnashar tnashar etnasher", "twelve"),
    (13, "تلتاشر تلاتاشر تلطاشر تلتعشر", "talatashar taltashar tlatashar talattashar talatasher", "thirteen"),
    (14, "اربعتاشر اربعطاشر", "arba3tashar arb3tashar arba3atashar arba3tasher", "fourteen"),
    (15, "خمستاشر خمسطاشر", "5amastashar 5amstashar 5amsatashar 5amastasher", "fifteen"),
    (16, "ستاشر سطاشر", "settashar sittashar setashar settasher", "sixteen"),
    (17, "سبعتاشر سبعطاشر", "sab3tashar saba3tashar sab3atashar saba3tasher", "seventeen"),
    (18, "تمنتاشر تمانتاشر تمنطاشر", "tamantashar tmantashar tamntashar tamantasher", "eighteen"),
    (19, "تسعتاشر تسعطاشر", "tes3tashar tesa3tashar tis3atashar tesa3tasher", "nineteen"),
    (20, "عشرين عشرون", "3eshreen 3ishrin 3shreen 3shrin 3oshreen", "twenty"),
    (30, "تلاتين تلاتون", "talateen tlateen talatin thalatheen", "thirty"),
    (40, "اربعين اربعون", "arbe3een arba3een arb3een arbi3in", "forty fourty"),
    (50, "خمسين خمسون", "5amseen 5amsin", "fifty"),
    (60, "ستين ستون", "setteen sittin sitteen", "sixty"),
    (70, "سبعين سبعون", "sab3een sab3in sabe3een", "seventy"),
    (80, "تمانين تمانون", "tamaneen tmaneen tamanin", "eighty"),
    (90, "تسعين تسعون", "tes3een tis3in tes3in", "ninety"),
    (100, "ميه مايه مئه", "meya miya meyya mya", ""),
    (200, "ميتين مايتين", "meteen mitein", ""),
    (300, "تلتميه تلاتميه تلتوميه", "toltomeya toltomiya teltomeya", ""),
    (400, "ربعميه اربعميه ربعوميه", "rob3omeya rub3omiya arba3meya", ""),
    (500, "خمسميه خمسوميه", "5omsomeya 5amsomeya 5omsomiya", ""),
    (600, "ستميه ستوميه", "sottomeya settomeya", ""),
    (700, "سبعميه سبعوميه", "sob3omeya sab3omeya", ""),
    (800, "تمنميه تمانميه تمنوميه", "tomnomeya tamanmeya tomnomiya", ""),
    (900, "تسعميه تسعوميه", "tos3omeya tes3omeya", ""),
];

/// Digits in the plural: "three fives" is 555.
const PLURALS: &[(u8, &str, &str, &str)] = &[
    (0, "اصفار صفرين زيروهات", "asfar zerohat", "zeros zeroes"),
    (1, "وحايد واحدات", "wa7dat wa7ayed", "ones"),
    (2, "اتنينات", "etnenat", "twos"),
    (3, "تلاتات", "talatat", "threes"),
    (4, "اربعات", "arba3at", "fours"),
    (5, "خمسات", "5amsat", "fives"),
    (6, "ستات", "settat", "sixes"),
    (7, "سبعات", "sab3at", "sevens"),
    (8, "تمانيات تمنيات", "tamanyat", "eights"),
    (9, "تسعات", "tes3at", "nines"),
];

const ACTS: &[(Num, &str, &str, &str)] = &[
    (Num::Repeat(2), "دبل دوبل", "dobl dabl", "double"),
    (Num::Repeat(3), "تريبل", "", "triple treble"),
    (Num::Repeat(4), "", "", "quadruple"),
    (Num::Again, "مرتين مكرر مكرره", "marteen mokarar", "twice"),
    (Num::Hundred, "", "", "hundred"),
    (Num::Plus, "بلس بلاس زائد زايد", "blas", "plus"),
];

/// Words by what they are evidence of: classes, Arabic, Franco, English.
const WORDS: &[(u32, &str, &str, &str)] = &[
    (CALL | TALK, "كلمني كلموني رني رنلي اتصلي اتصللي كلمنى هاتفني دقلي", "kalemny kalmeny kallemni kalmni kalemni klmny etselly", ""),
    (CALL | TALK, "", "", "call text ring dial whatsapp-me phone-me"),
    (
        CALL,
        "اتصل كلم رن رنه رنلها دق اطلب اتصال نتصل تتصل تكلم تكلمني تكلميني هتصل واصل",
        "etsel itsel kalem ran ranna etasel tekalemny tkalmny arenn",
        "cell mob landline hotspot",
    ),
    (CALL, "ارضي الارضي خط", "ardi ardy", "line home office"),
    (
        TALK,
        "راسلني نتكلم نتواصل تواصل ابعتلي ابعتيلي ابعتهالي ابعتهولي هبعتلك ابعتلك نكمل نتحدث كمل نشات اكلمك هكلمك ابعتلنا",
        "netkalem nekalem tetkalem eb3atly eb3tly ab3atlak ab3atlek hab3atlak raselny netwasel nkamel nekamel akalemak",
        "talk message msg dm pm inbox reach ping chatting continue move switch discuss",
    ),
    (
        DEAL,
        "نتفق اتفق نتعامل اتعامل ادفع تدفع ادفعلك احجز نحجز نخلص نوفر اوفر عايز عاوز محتاج عايزه عاوزه محتاجه",
        "3ayez 3awez 3ayz me7tag nettefe2 netefe2 net3amel adfa3 tedfa3 ne5alas newafar",
        "arrange deal pay book agree settle work cash need want",
    ),
    (
        ASK,
        "ابعت ابعتي هات هاتي اديني ادينى ممكن عندك معاك خد خدي سيب سيبلي قولي قوللي ابعته اخد هديك هديلك اديك سجل اكتب اكتبلي مكتوب",
        "eb3at eb3aty hat momken mumken 3andak 3andek ma3ak edeeny edini 5od khod adeek hadeek sebly 2olly 2oly seb",
        "can could have give send share what's get got write written may drop leave exchange swap",
    ),
    (OUTSIDE, "برا بره برة خارج بدون غير", "barra bara 8eir gheir", "outside without offline off-app off-platform"),
    (
        APP,
        "التطبيق تطبيق الابليكيشن ابليكيشن الاب البرنامج الموقع المنصه الشات شات السيستم",
        "app application chat aplikeshan el-app site system",
        "app apps application platform chat button website",
    ),
    (HERE, "هنا", "hena hina", "here"),
    (
        BETTER,
        "احسن افضل اسهل بدل اسرع ارخص هناك",
        "a7san ahsan as-hal badal asra3 ar5as",
        "better easier instead rather faster cheaper there prefer",
    ),
    (DIRECT, "مباشر مباشره علطول دايركت", "mobasher direct", "direct directly privately personally"),
    (
        NEG,
        "مش لا بلاش ممنوع مو",
        "msh mesh mish la2 balash mamnoo3",
        "no not never cannot dont don't can't cant won't sorry refuse nobody against",
    ),
    (
        JOB,
        "بايظ مكسور مكسوره يدير تصميم صفحات تصليح يظبط باسورد الباسورد فيديوهات بوستات مصمم تطبيقات شاشه شاحن بطاريه هاك اتهكر",
        "bayez maksoor tasleeh tasmeem baswerd videos",
        "broken password designer screen battery repair fix ads posts post page manager marketing hacked socket dead install videos content sales",
    ),
    (YOURS, "حضرتك بتاعك", "beta3ak beta3ek 7adretak", "your ur yours"),
    (MINE, "بتاعي", "beta3y beta3i betaa3y bta3y", "my mine"),
    (
        LOWER,
        "طلب الطلب اوردر الاوردر فاتوره الفاتوره كود الكود عداد العداد قراءه قرايه بطاقه بطاقتي قومي القومي حساب الحساب مرجع عمليه موديل الموديل حجز الحجز شحنه الشحنه تذكره سيريال لوحه ضريبي سجل-تجاري بوليصه رخصه",
        "order talab fatora kood 3addad bet2a betaka qawmy 7esab 7agz sho7na mo7awla",
        "order booking tracking serial code meter reading iban ref reference ticket invoice model version error account transaction receipt sku shipment barcode policy license licence passport national isbn pin otp",
    ),
    (
        UNIT,
        "جنيه ج متر سم كيلو طن لتر ساعه دقيقه دقايق يوم ايام شهر سنه عماره شقه شقة دور الدور شارع فيلا بلوك الساعه درجه قطعه اوضه اوض باب ابواب شباك حصان فولت وات امبير كرسي علبه شكاره كيس عدد مقاس الف مليون الصبح المغرب العشا الضهر العصر بالليل بكره سعر السعر عربون خصم",
        "geneh gneh gneih metr sm kilo sa3a d2e2a da2aye2 d2aye2 yom ayam 3emara sha2a door dor eldor share3 alf sob7 bokra se3r 3arboon",
        "egp pounds pound le cm mm kg km am pm hours hour hrs mins min minutes minute days day weeks pcs pieces bags meters metres sqm floor flat apartment apt bldg building villa street st gate block room rooms percent price total discount o'clock oclock noon size sizes x bedrooms typo people years",
    ),
    (
        REVERSE,
        "عكس العكس بالعكس اقلب اقلبه معكوس مقلوب بالمقلوب يمين اليمين شمال",
        "3aks 2elb e2leb ma2loob ma2looba me3akes ma3koos bel3aks yemeen shemal",
        "reverse reversed backward backwards flip flipped mirror right left",
    ),
    (AT, "ات", "", "at"),
    (DOT, "دوت نقطه", "noqta no2ta doot", "dot period"),
    (UNDERSCORE, "اندرسكور", "", "underscore"),
    (SLASH, "سلاش", "", "slash"),
    (AND, "و", "w we", "and"),
    (
        LINK,
        "بعدين بعدها تم شرطه داش فاصله مسافه كمان تاني تانيه اول اخر باقي الباقي يعني وبعدين سلاش",
        "ba3den ba3deen ba3daha shorta fasla masafa ya3ni yaani tany awel ba2y el",
        "then dash hyphen minus space comma next followed by the rest star point um uh",
    ),
    (
        CHANNEL,
        "واتس واتساب واتسب وتساب واتسابي واتسي تليجرام تلجرام تيليجرام تلغرام انستا انستجرام انستغرام انستاجرام فيس فيسبوك فيسبوكي ماسنجر مسنجر سناب سنابشات تيكتوك تيك فايبر سكايب ايمو ديسكورد تويتر لينكد لينكدان بوتيم سيجنال",
        "watsapp wats watsab whatsap wtsapp",
        "whatsapp whats whatsap wapp wts wtsp wsp telegram tele telgram instagram insta ig facebook fb face messenger snapchat snap tiktok viber skype imo discord twitter linkedin botim wechat signal",
    ),
    (MAIL, "جيميل ياهو هوتميل اوتلوك ايكلاود", "", "gmail googlemail hotmail yahoo outlook icloud ymail protonmail proton gmx aol"),
    (TLD, "كوم نت", "", "com net org co io info eg biz me app xyz online shop store site dev edu gov uk sa ae ai link"),
    (
        USER,
        "يوزر يوزري اليوزر يوزرنيم باسم اسمي اكونت اكونتي الاكونت حسابي ايدي هاندل بروفايل بروفايلي اسمه",
        "besm esmy akawnt",
        "user username usrname id handle account profile nick nickname name named",
    ),
    (
        FIND,
        "ضيفني ضيفيني اضفني تابعني تابعيني فولو ابحث دور سيرش هتلاقيني تلاقيني زورني شوفني",
        "defny deefni dayefny tab3ny edawar dawar sersh hatla2eeny",
        "add follow search find look dm",
    ),
    (SITE, "موقعي صفحتي سايت لينك اللينك", "saf7ty maw2e3y", "site website webpage page portfolio link profile"),
    (
        FILLER,
        "هو هي ده على علي في عليه بتاعي الجديد عندي",
        "howa heya da 3ala fe 3and 3al",
        "is it's its it this on the a at as under with here my me us our there new",
    ),
    (TALK, "عليه عليها هناك", "3aleh 3aleha", ""),
];

/// Nouns that take possessive endings: classes, Arabic, Franco.
const POSSESSED: &[(u32, &str, &str)] = &[
    (NUMBER, "رقم ارقام نمرت نمره نمر", "rakam raqam ra2am nemret nemra nimra arqam arkam"),
    (PHONE | CALL, "تليفون تلفون موبايل محمول جوال هاتف موبيل", "telefon tilifon tlefon mobayl mobile mobail phone 7amool ma7mool"),
];

/// English nouns for telephones; their owner is another word.
const PHONES: &str = "phone mobile telephone cellphone fone phones mobiles";
const ENGLISH_NUMBERS: &str = "number numbers num digits no";

/// Hashes and what they mean: open addressing, a quarter full, so that a miss is one probe.
struct Table {
    slots: Vec<(u64, Lex)>,
    /// One bit a key, small enough for the first-level cache: most words of a message are in no list.
    filter: Box<[u64; 512]>,
    /// Pairs of first letters with which number words begin, as a filter for words run together.
    openings: [u64; 8],
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

const PLAIN: u64 = 0x51;
const FRANCO: u64 = 0xF7;

impl Table {
    fn new() -> Self {
        let mut table = Self { slots: vec![(0, Lex::default()); 8192], filter: Box::new([0; 512]), openings: [0; 8] };
        for (value, arabic, franco, english) in NUMBERS {
            table.number(arabic, Num::Value { value: *value, english: false }, PLAIN);
            table.number(franco, Num::Value { value: *value, english: false }, FRANCO);
            table.number(english, Num::Value { value: *value, english: true }, PLAIN);
        }
        for (digit, arabic, franco, english) in PLURALS {
            table.number(arabic, Num::Plural(*digit), PLAIN);
            table.number(franco, Num::Plural(*digit), FRANCO);
            table.number(english, Num::Plural(*digit), PLAIN);
        }
        for (act, arabic, franco, english) in ACTS {
            table.number(arabic, *act, PLAIN);
            table.number(franco, *act, FRANCO);
            table.number(english, *act, PLAIN);
        }
        for (class, arabic, franco, english) in WORDS {
            table.words(arabic, *class, PLAIN);
            table.words(franco, *class, FRANCO);
            table.words(english, *class, PLAIN);
        }
        for (class, arabic, franco) in POSSESSED {
            for noun in arabic.split(' ') {
                for (ending, more) in
                    [("", 0), ("ي", MINE | CALL), ("ك", YOURS), ("كم", YOURS), ("ه", CALL), ("ها", CALL), ("نا", CALL | MINE), ("هم", CALL)]
                {
                    table.add(&format!("{noun}{ending}"), *class | more, Num::None, PLAIN);
                }
            }
            for noun in franco.split(' ') {
                for (ending, more) in [
                    ("", 0),
                    ("y", MINE | CALL),
                    ("ak", YOURS),
                    ("ek", YOURS),
                    ("ik", YOURS),
                    ("o", CALL),
                    ("ha", CALL),
                    ("na", CALL | MINE),
                ] {
                    table.add(&format!("{noun}{ending}"), *class | more, Num::None, FRANCO);
                }
            }
        }
        table.words(PHONES, PHONE | CALL, PLAIN);
        table.words(ENGLISH_NUMBERS, NUMBER, PLAIN);
        table
    }

    fn number(&mut self, words: &str, num: Num, seed: u64) {
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            let class = if matches!(num, Num::Value { value: 0, .. }) { ZERO } else { 0 };
            self.add(word, class, num, seed);
            let syms = normalise::fold(word);
            if let Some(bit) = opening(&syms)
                && let Some(slot) = self.openings.get_mut(bit / 64)
            {
                *slot |= 1 << (bit % 64);
            }
        }
    }

    fn words(&mut self, words: &str, class: u32, seed: u64) {
        for word in words.split(' ').filter(|word| !word.is_empty()) {
            self.add(word, class, Num::None, seed);
        }
    }

    /// A word may stand in several lists: classes add up, and the first number stays.
    fn add(&mut self, word: &str, class: u32, num: Num, seed: u64) {
        let syms = normalise::fold(word);
        let key = if seed == FRANCO { franco_key(&syms) } else { plain_key(syms.iter().map(|sym| sym.c)) };
        let (word, bit) = filter_bit(key);
        if let Some(bits) = self.filter.get_mut(word) {
            *bits |= bit;
        }
        let slot = self.slot(key);
        if let Some((hash, lex)) = self.slots.get_mut(slot) {
            *hash = key;
            lex.class |= class;
            if lex.num == Num::None {
                lex.num = num;
            }
        }
    }

    /// Where a key stands, or would stand.
    #[inline]
    fn slot(&self, key: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = (key >> 32) as usize & mask;
        while self.slots.get(slot).is_some_and(|(hash, _)| *hash != 0 && *hash != key) {
            slot = (slot + 1) & mask;
        }
        slot
    }

    #[inline]
    fn get(&self, key: u64) -> Option<Lex> {
        let (word, bit) = filter_bit(key);
        if self.filter.get(word).is_none_or(|bits| bits & bit == 0) {
            return None;
        }
        self.slots.get(self.slot(key)).filter(|(hash, _)| *hash == key).map(|(_, lex)| *lex)
    }
}

/// Where a key stands in the filter: the word, and the bit in it.
#[inline]
fn filter_bit(key: u64) -> (usize, u64) {
    let word = (key >> 55) as usize;
    (word, 1 << ((key >> 49) & 63))
}

fn opening(syms: &[Sym]) -> Option<usize> {
    let (first, second) = (syms.first()?, syms.get(1)?);
    let mixed = u64::from(u32::from(first.c)) * 31 + u64::from(u32::from(second.c)) * 7;
    usize::try_from(mixed % 512).ok()
}

#[inline]
fn mix(hash: u64, c: char) -> u64 {
    (hash.rotate_left(5) ^ u64::from(u32::from(c))).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// The hash of letters, a run of one letter counted once. Never 0, which marks a free slot.
#[inline]
fn plain_key(chars: impl Iterator<Item = char>) -> u64 {
    let (mut hash, mut last) = (PLAIN, '\0');
    for c in chars {
        if c != last || c.is_ascii_digit() {
            hash = mix(hash, c);
        }
        last = c;
    }
    hash | 1
}

/// The hash of how a Franco word sounds.
fn franco_key(syms: &[Sym]) -> u64 {
    let (mut hash, mut last) = (FRANCO, '\0');
    let at = |index: usize| syms.get(index).map_or('\0', |sym| sym.c);
    let mut index = 0;
    while index < syms.len() {
        let (sound, width) = match (at(index), at(index + 1)) {
            ('k', 'h') | ('7', '\'') => ('x', 2),
            ('s' | 'c', 'h') => ('$', 2),
            ('t', 'h') => ('t', 2),
            ('d', 'h') => ('d', 2),
            ('g', 'h') | ('3', '\'') => ('8', 2),
            ('5', _) => ('x', 1),
            ('7', _) => ('h', 1),
            ('6', _) => ('t', 1),
            ('9', _) => ('s', 1),
            ('3' | '2', _) if index == 0 => ('\0', 1),
            ('3', _) => ('a', 1),
            ('\'' | '2', _) => ('\0', 1),
            ('e' | 'i' | 'y', _) => ('i', 1),
            ('o' | 'u', _) => ('u', 1),
            ('c' | 'q', _) => ('k', 1),
            ('p', _) => ('b', 1),
            ('v', _) => ('f', 1),
            (other, _) => (other, 1),
        };
        if sound != '\0' && sound != last {
            hash = mix(hash, sound);
            last = sound;
        }
        index += width;
    }
    hash | 1
}

/// An Arabic word, folded.
pub(super) fn arabic(syms: &[Sym]) -> Lex {
    let table = &*TABLE;
    let key = |from: usize| plain_key(syms.iter().skip(from).map(|sym| sym.c));
    if let Some(lex) = table.get(key(0)) {
        return lex;
    }
    let at = |index: usize| syms.get(index).map_or('\0', |sym| sym.c);
    // م…ش around a verb negates it.
    if syms.len() >= 5 && at(0) == 'م' && at(syms.len() - 1) == 'ش' {
        return Lex { class: NEG, ..Lex::default() };
    }
    let and = at(0) == 'و' && syms.len() >= 3;
    if and && let Some(lex) = table.get(key(1)) {
        return Lex { and: true, ..lex };
    }
    let from = usize::from(and);
    let skip = match (at(from), at(from + 1), at(from + 2)) {
        ('ب' | 'ع' | 'ف', 'ا', 'ل') => 3,
        ('ا' | 'ل' | 'ع', 'ل', _) => 2,
        ('ب' | 'ل' | 'ع' | 'ف' | 'ه', _, _) => 1,
        _ => return Lex::default(),
    };
    // "The zero" speaks of a digit and does not dial it.
    let lex = if syms.len() >= from + skip + 2 { table.get(key(from + skip)) } else { None };
    lex.map_or(Lex::default(), |lex| {
        let zero = if lex.num == (Num::Value { value: 0, english: false }) { ZERO } else { 0 };
        Lex { class: lex.class & !(AT | AND) | zero, ..Lex::default() }
    })
}

/// A word in Latin letters: English, then Franco, then English with digits for letters.
pub(super) fn latin(syms: &[Sym], has_digits: bool) -> Lex {
    let table = &*TABLE;
    if let Some(lex) = table.get(plain_key(syms.iter().map(|sym| sym.c))) {
        return lex;
    }
    let lex = table.get(franco_key(syms));
    if let Some(lex) = lex {
        return lex;
    }
    let at = |index: usize| syms.get(index).map_or('\0', |sym| sym.c);
    if has_digits {
        let unmasked = syms.iter().map(|sym| match sym.c {
            '0' => 'o',
            '1' => 'i',
            '3' => 'e',
            '4' => 'a',
            '5' => 's',
            '7' => 't',
            other => other,
        });
        return table.get(plain_key(unmasked)).unwrap_or_default();
    }
    let end = |back: usize| syms.len().checked_sub(back).map_or('\0', at);
    let negated = (at(0) == 'm' && syms.len() >= 6 && end(2) == 's' && end(1) == 'h') || (end(3) == 'n' && end(2) == '\'' && end(1) == 't');
    Lex { class: if negated { NEG } else { 0 }, ..Lex::default() }
}

/// The numbers in words that were run together (`صفرواحد`, `zerooneone`), if the whole of `syms` is that: at least two,
/// with [`Num::None`] for an "and" between them.
pub(super) fn glued(syms: &[Sym]) -> Option<smallvec::SmallVec<[Num; 16]>> {
    const LONGEST: usize = 12;
    const SYMS_MAX: usize = 160;
    let length = syms.len();
    if !(6..=SYMS_MAX).contains(&length) {
        return None;
    }
    let table = &*TABLE;
    let bit = opening(syms)?;
    if table.openings.get(bit / 64).is_none_or(|slot| slot & (1 << (bit % 64)) == 0) {
        return None;
    }
    // step[i]: length of the word by which position i was reached first; positions are visited in order, so work is
    // bounded by length · LONGEST lookups.
    let mut step: smallvec::SmallVec<[(u8, Num); 64]> = smallvec::smallvec![(0, Num::None); length + 1];
    for start in 0..length {
        if start > 0 && step.get(start).is_none_or(|(width, _)| *width == 0) {
            continue;
        }
        // An "and" between two of them counts for nothing of its own.
        if start > 0
            && syms.get(start).is_some_and(|sym| sym.c == 'و')
            && let Some(slot @ (0, _)) = step.get_mut(start + 1)
        {
            *slot = (1, Num::None);
        }
        for width in 2..=LONGEST.min(length - start) {
            let word = syms.get(start..start + width)?;
            let lex = table.get(plain_key(word.iter().map(|sym| sym.c))).filter(|lex| lex.is_number());
            let lex = lex.or_else(|| table.get(franco_key(word)).filter(|lex| lex.is_number()));
            if let (Some(lex), Some(slot @ (0, _))) = (lex, step.get_mut(start + width)) {
                *slot = (u8::try_from(width).unwrap_or(0), lex.num);
            }
        }
    }
    let mut nums = smallvec::SmallVec::new();
    let mut at = length;
    while at > 0 {
        let (width, num) = *step.get(at)?;
        if width == 0 {
            return None;
        }
        nums.push(num);
        at -= usize::from(width);
    }
    nums.reverse();
    (nums.iter().filter(|num| **num != Num::None).count() >= 2).then_some(nums)
}
