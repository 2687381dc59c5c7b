//! Floods of one-time codes: on one phone, and from one place over many phones.

use crate::Level;
use crate::campaign::{Cast, Scene};
use crate::clock::SECOND;
use crate::honest::auth::otp_to;
use crate::places::Network;
use crate::wire::Outbox;

/// One phone is bombed. Blatant: every few seconds, from one server. Moderate: every minute and a half, from two home lines,
/// with some guesses. Careful: a drip that stays under five in ten minutes, each from another line, for hours.
pub(super) fn flood(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let random = &mut scene.random;
    let (times, every, lines) = match scene.level {
        Level::Blatant => (40, (9, 14), vec![Network::hosting(random)]),
        Level::Moderate => (15, (70, 92), vec![Network::home(random, 0), Network::home(random, 2)]),
        Level::Careful => (48, (160, 215), (0..30).map(|line| Network::home(random, line % 6)).collect()),
    };
    let device = random.id("d_");
    let victim = match scene.level {
        // A number that is nobody's account.
        Level::Blatant => scene.phone(),
        Level::Moderate | Level::Careful => scene.somebody(&scene.population.clients)?.phone.clone(),
    };
    let random = &mut scene.random;
    let mut at = scene.start;
    for time in 0..times {
        let line = random.pick(&lines);
        // The careful attacker's app gives another device each time.
        let device = if scene.level == Level::Careful { random.id("d_") } else { device.clone() };
        let otp = otp_to(&victim, &device, line, "login");
        let subject = || Some(format!("phone:{victim}"));
        out.send("auth.otp_requested", at, subject(), &otp);
        if scene.level == Level::Moderate && time % 5 == 3 {
            out.send("auth.otp_failed", at + 20 * SECOND, subject(), &otp);
        }
        at += random.between(every.0, every.1) * SECOND;
    }
    let also = lines.iter().take(if scene.level == Level::Careful { 0 } else { 2 }).map(|line| format!("ip:{}", line.ip)).collect();
    Some(Cast { entity: format!("phone:{victim}"), also })
}

/// Many phones from one place. Blatant: sixty from one server in twenty minutes. Moderate: one home line, three devices, a
/// phone every minute and a half. Careful: nine lines of three networks, eight phones each, on two devices.
pub(super) fn fanout(scene: &mut Scene<'_>, out: &mut Outbox) -> Option<Cast> {
    let random = &mut scene.random;
    let (times, every, lines, device_count) = match scene.level {
        Level::Blatant => (60, (14, 22), vec![Network::hosting(random)], 1),
        Level::Moderate => (27, (85, 105), vec![Network::home(random, 0)], 3),
        Level::Careful => {
            let nets: Vec<Network> = (0..3).map(|_| Network::hosting(random)).collect();
            let line = |host: usize, net: &Network| {
                let prefix = net.ip.rsplit_once('.').map_or("198.19.200", |(prefix, _)| prefix);
                Network { ip: format!("{prefix}.{}", 11 + host * 37), ..net.clone() }
            };
            (72, (160, 195), nets.iter().flat_map(|net| (0..3).map(move |host| line(host, net))).collect(), 2)
        }
    };
    let devices: Vec<String> = (0..device_count).map(|_| random.id("d_")).collect();
    let mut at = scene.start;
    for time in 0..times {
        // A list of numbers of one operator; none is anybody's account here.
        let target = scene.phone();
        let random = &mut scene.random;
        let line = lines.get(time % lines.len())?;
        let purpose = *random.pick(&["signup", "signup", "login"]);
        let device = random.pick(&devices);
        let otp = otp_to(&target, device, line, purpose);
        out.send("auth.otp_requested", at, Some(format!("phone:{target}")), &otp);
        if scene.level == Level::Moderate && random.chance(0.2) {
            out.send("auth.otp_failed", at + 25 * SECOND, Some(format!("phone:{target}")), &otp);
        }
        at += random.between(every.0, every.1) * SECOND;
    }
    let mut also: Vec<String> = lines.iter().skip(1).map(|line| format!("ip:{}", line.ip)).collect();
    also.extend(devices.iter().map(|device| format!("device:{device}")));
    // One address at the lower levels; the careful one's common trait is the device.
    let entity = match scene.level {
        Level::Careful => {
            also.extend(lines.first().map(|line| format!("ip:{}", line.ip)));
            also.retain(|one| devices.first().is_none_or(|device| one != &format!("device:{device}")));
            format!("device:{}", devices.first()?)
        }
        Level::Blatant | Level::Moderate => format!("ip:{}", lines.first()?.ip),
    };
    Some(Cast { entity, also })
}
