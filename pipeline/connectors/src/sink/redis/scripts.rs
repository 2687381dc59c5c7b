//! The scripts. Each works on one key, so that Redis Cluster can run it wherever that key lives.

/// How long a deleted score's version stays, s: longer than a write can be under way on a connection that was given up.
/// Linux sends unacknowledged bytes again for some 15 minutes (`tcp_retries2`), also after the process has closed its end.
pub(super) const TOMBSTONE_S: u32 = 30 * 60;

/// Writes one score, or takes it away where there is a version alone.
///
/// ```text
/// KEYS  the score's key
/// ARGV  version, seconds for a tombstone, live_until, score, as_of, reasons, ruleset, and ('' where there is none) level, low_until,
///       medium_until, high_until, critical_until, advice, advice_until, watch_until, challenge_until, hold_until, block_until
/// ←     older, deleted, written, or rises: written, and the level is above what it was; foreign: nothing is done, for what is
///       there we have not written: another type, or a hash without a version of ours
/// ```
///
/// What is taken away leaves a hash with its `version` alone, a tombstone: an older write that was still under way would
/// bring the score back else. HSET comes before HDEL: where memory is full it fails, and then nothing has changed. `announce` stays in the hash
/// until the rise of level stands in the stream, which is another key and so another command: if that fails or we die,
/// the next write of this entity tells again.
pub(super) const WRITE: &str = r"
local held = redis.pcall('HMGET', KEYS[1], 'version', 'medium_until', 'high_until', 'critical_until', 'announce', 'score', 'low_until')
if held.err then
  if string.find(held.err, 'WRONGTYPE', 1, true) then return 'foreign' end
  return held
end
if held[1] then
  if #held[1] > 15 or not string.match(held[1], '^%d+$') then return 'foreign' end
elseif redis.pcall('EXISTS', KEYS[1]) == 1 then
  return 'foreign'
end
if held[1] and tonumber(held[1]) > tonumber(ARGV[1]) then return 'older' end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if #ARGV == 2 or tonumber(ARGV[3]) < now then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'version', ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
  return 'deleted'
end
local function rank(score, low, medium, high, critical)
  if (tonumber(critical or '') or 0) >= now then return 4 end
  if (tonumber(high or '') or 0) >= now then return 3 end
  if (tonumber(medium or '') or 0) >= now then return 2 end
  if (tonumber(score or '') or 0) < 1 or (low and low ~= '' and tonumber(low) < now) then return 0 end
  return 1
end
local before = rank(held[6], held[7], held[2], held[3], held[4])
local after = rank(ARGV[4], ARGV[9], ARGV[10], ARGV[11], ARGV[12])
local rises = after > 0 and (held[5] or after > before)
local set = {'version', ARGV[1], 'score', ARGV[4], 'as_of', ARGV[5], 'reasons', ARGV[6], 'ruleset', ARGV[7]}
local gone = {}
local optional = {'level', 'low_until', 'medium_until', 'high_until', 'critical_until', 'advice', 'advice_until', 'watch_until', 'challenge_until', 'hold_until', 'block_until'}
for index, field in ipairs(optional) do
  local value = ARGV[7 + index]
  if value == '' then
    gone[#gone + 1] = field
  else
    set[#set + 1] = field
    set[#set + 1] = value
  end
end
if rises then
  set[#set + 1] = 'announce'
  set[#set + 1] = ARGV[1]
end
redis.call('HSET', KEYS[1], unpack(set))
if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
if rises then return 'rises' end
return 'written'
";

/// Takes the mark of a rise off, unless it is another's: of a newer version, written meanwhile. `ARGV` is the version.
pub(super) const UNMARK: &str = "if redis.call('HGET', KEYS[1], 'announce') == ARGV[1] then redis.call('HDEL', KEYS[1], 'announce') end";

/// A witness of a part of a cluster: a token that stands as long as nothing was flushed there. `ARGV` is a fresh one, which
/// is put there where there is none. Another's value of another type is as good: a flush takes it away, too.
pub(super) const WITNESS: &str = r"
redis.call('SET', KEYS[1], ARGV[1], 'NX')
local token = redis.pcall('GET', KEYS[1])
if type(token) == 'table' and token.err and string.find(token.err, 'WRONGTYPE', 1, true) then return 'foreign' end
return token
";

/// The heartbeat.
///
/// ```text
/// KEYS  the heartbeat's key
/// ARGV  `beat` or `republished`, what tells the servers from others (the run id of one, of a cluster a digest), the token of the loss made good, as_of, lag_ms, ruleset, instance,
///       a fresh token
/// ←     '', or the token of a loss
/// ```
///
/// The epoch vouches that every live score is there. It is missing after a flush and on an empty server, and belongs to
/// other servers after a failover or a restart, which may have lost the newest writes. Then `as_of` goes too, so that no
/// reader takes silence for low risk, and `epoch_next` waits for all live scores to be published again. It is a new token
/// each time it has to be set, so a flush in the midst of publishing is not missed.
pub(super) const HEARTBEAT: &str = r"
local held = redis.call('HMGET', KEYS[1], 'epoch', 'server', 'epoch_next')
if held[2] ~= ARGV[2] then held = {} end
if ARGV[1] == 'republished' and held[3] == ARGV[3] then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[3])
  redis.call('HDEL', KEYS[1], 'epoch_next')
  held[1] = ARGV[3]
end
if not held[1] then
  if held[3] and ARGV[1] == 'beat' then return held[3] end
  redis.call('HSET', KEYS[1], 'epoch_next', ARGV[8], 'server', ARGV[2])
  redis.call('HDEL', KEYS[1], 'epoch', 'as_of', 'lag_ms')
  return ARGV[8]
end
redis.call('HSET', KEYS[1], 'as_of', ARGV[4], 'lag_ms', ARGV[5], 'ruleset', ARGV[6], 'instance', ARGV[7])
return ''
";
