-- Forget buckets.
--   KEYS     the buckets
--   ARGV[1]  '', see call.lua
-- Replies of how many something was used.
-- Twin: MemoryStore.reset.

local forgotten = 0
for i = 1, #KEYS do
  local bucket = readBucket(KEYS[i])
  if bucket.max and lifeUs(bucket, nowUs) > 0 then forgotten = forgotten + 1 end
  redis.call('DEL', KEYS[i])
end
return forgotten
