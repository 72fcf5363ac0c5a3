-- Stored values, for tests: each is read, and written again.
--   ARGV[2]  JSON: values in hex
--   ARGV[3]  the time
-- Replies for each value what would be written, in hex, or '' if it is damaged; then for each bucket the TTL in microseconds.

local replies, ttls = {}, {}

local function fromHex (hex)
  return (string.gsub(hex, '..', function (digits) return string.char(tonumber(digits, 16)) end))
end

local function toHex (text)
  return (string.gsub(text, '.', function (one) return string.format('%02x', string.byte(one)) end))
end

local function rewritePenaltyState (stored)
  local kept = {}
  decodePenaltyState(kept, stored)
  return 'P' .. pack('>I4I1I7I7I7', kept.strikes, kept.level, kept.startUs, kept.quietFromUs, kept.blockUs)
end

local function rewriteHolders (stored)
  local kept, parts = {}, { 'C' }
  decodeHolders(kept, stored, nowUs)
  for i, one in ipairs(kept.holders) do
    parts[i + 1] = pack('>c8I7I4I7I4', one.instance, one.sequence, one.slots, one.endsUs, one.leaseMs)
  end
  return table.concat(parts)
end

local function rewriteBucket (stored)
  local bucket = decodeBucket({ timeUs = 0, count = 0 }, stored)
  if bucket.algorithm ~= TOKEN_BUCKET then assert(bucket.capacity == bucket.max) end
  return encodeBucket(bucket), bucketTtlUs(bucket, nowUs)
end

for i, hex in ipairs(cjson.decode(ARGV[2])) do
  local stored = fromHex(hex)
  local rewrite = rewriteBucket
  if sub(stored, 1, 1) == 'P' then rewrite = rewritePenaltyState end
  if sub(stored, 1, 1) == 'C' and #stored % 30 == 1 then rewrite = rewriteHolders end
  local isRead, written, ttlUs = pcall(rewrite, stored)
  replies[i] = isRead and toHex(written) or ''
  ttls[i] = string.format('%.0f', isRead and ttlUs or 0)
end
return { replies, ttls }
