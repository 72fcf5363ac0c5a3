-- Forget buckets, and how their partition stands under penalties.
--   KEYS     the buckets, then a conduct for each limit of ARGV[1]
--   ARGV[1]  a limit for each penalty, see call.lua
-- Replies of how many something was used or held against it.
-- Twin: MemoryStore.reset.

local resetCount, bucketCount = 0, #KEYS - #limits
for i = 1, #KEYS do
  local key, ttlUs = KEYS[i], 0
  if i <= bucketCount then
    local bucket = readBucket(key)
    if bucket.max then ttlUs = bucketTtlUs(bucket, nowUs) end
  else
    local rule = limits[i - bucketCount].penalty
    ttlUs = penaltyTtlUs(rule, loadPenaltyEntry(rule, key, nowUs).state, nowUs)
  end
  if ttlUs > 0 then resetCount = resetCount + 1 end
  redis.call('DEL', key)
end
return resetCount
