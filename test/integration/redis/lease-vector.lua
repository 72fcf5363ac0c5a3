-- What is kept of a bucket with leases, for tests.
--   KEYS[1]  the bucket
--   ARGV[1]  its limit, see call.lua
--   ARGV[2]  JSON: the state to store, or '' to only read
--   ARGV[3]  the row's time
-- Replies the state in text: timeUs, count, slotEndUs, gridUs, apart, apartNext; nothing if there is no bucket.

local quota, key = limits[1], KEYS[1]
if ARGV[2] ~= '' then
  local state, bucket = cjson.decode(ARGV[2]), readBucket(key)
  bucket.algorithm, bucket.max, bucket.windowUs, bucket.capacity = quota.algorithm, quota.max, quota.windowUs, quota.capacity
  bucket.timeUs, bucket.count = state.timeUs, state.count
  if state.slotEndUs > 0 then
    bucket.slotEndUs, bucket.gridUs, bucket.apart, bucket.apartNext = state.slotEndUs, state.gridUs, state.apart, state.apartNext
  end
  redis.call('SET', key, encodeBucket(bucket), 'PX', 60000)
  buckets[key] = nil
end

local bucket, reply = readBucket(key), {}
if not bucket.max then return reply end
for i, number in ipairs({ bucket.timeUs, bucket.count, bucket.slotEndUs or 0, bucket.gridUs or 0, bucket.apart or 0, bucket.apartNext or 0 }) do
  reply[i] = string.format('%.0f', number)
end
return reply
