-- Buckets that other versions of a limit wrote, converted to the limit of the row, for tests.
--   ARGV[1]  the limits of the rows, see call.lua
--   ARGV[2]  JSON: rows of written (numbers), state (a list), overuse and leases (or absent), nowUs, and the units to note after the change
-- Replies the rows as JSON: leases, the interval of the numbers before, state, overuse before and after the note, and its end.

local rows, replies = cjson.decode(ARGV[2]), {}

-- Doubles as text: cjson would write only 14 digits.
local function toText (overuse)
  if not overuse then return false end
  return string.format('%.17g %.17g %.17g %.17g', overuse.atUs, overuse.units, overuse.max, overuse.windowUs)
end

local function toList (bucket)
  if bucket.algorithm ~= SLIDING_WINDOW then return { bucket.timeUs, bucket.count } end
  return fromLog(bucket.log)
end

local function unpackList (list)
  return list[1], list[2], list[3], list[4]
end

for i, row in ipairs(rows) do
  local quota, nowUs = limits[i], row.nowUs
  local bucket = row.written
  bucket.key, bucket.timeUs, bucket.count, bucket.overuse = KEYS[1], 0, 0, row.overuse
  if bucket.algorithm == SLIDING_WINDOW then bucket.log = toLog(row.state) else bucket.timeUs, bucket.count = row.state[1], row.state[2] end
  if row.leases then bucket.slotEndUs, bucket.gridUs, bucket.apart, bucket.apartNext = unpackList(row.leases) end
  local interval = intervalOf(bucket)
  carryBucket(bucket, quota, nowUs)
  local state, overuse = {}, toText(bucket.overuse)
  for _, number in ipairs(toList(bucket)) do state[#state + 1] = string.format('%.0f', number) end
  changeBucket(bucket, { timeUs = bucket.timeUs, count = bucket.count, log = bucket.log }, row.units, nowUs)
  local endUs = bucket.overuse and string.format('%.0f', overuseEndUs(bucket.overuse))
  interval = { interval.intervalUs, interval.intervalNum, interval.intervalDen }
  local leased = bucket.slotEndUs and { string.format('%.0f', bucket.slotEndUs), bucket.gridUs, bucket.apart, bucket.apartNext }
  replies[i] = { leases = leased or false, interval = interval, state = state, overuse = overuse, noted = toText(bucket.overuse), endUs = endUs or false }
end
return cjson.encode(replies)
