-- One row of test/vectors/concurrency.json, on a key in Redis.
--   KEYS[1]  the slots     ARGV[2]  the row as JSON     ARGV[3]  the time

local row = cjson.decode(ARGV[2])
local parts = { 'C' }
for i = 1, #row.holders do
  local one = row.holders[i]
  parts[#parts + 1] = pack('>c8I7I4I7I4', one.instance, one.sequence, one.slots, one.endsUs, one.leaseUs / 1000)
end
if #row.holders > 0 then redis.call('SET', KEYS[1], table.concat(parts), 'PX', 3600000) else redis.call('DEL', KEYS[1]) end

local report = row.report
local reported = enterReport(readHolders(KEYS[1], nowUs), report.instance, report.sequence, report.slots, report.leaseUs / 1000, nowUs)
local granted = {}
for i = 1, #row.costs do
  local isGranted = assessReported(row, reported, row.costs[i])
  if isGranted then takeReported(reported, row.costs[i]) end
  granted[i] = isGranted and 1 or 0
end
local left = countLeft(row, reported)
local err = writeHolders(nowUs, marginMs)
if err then return redis.error_reply(err) end

slotKeys = {}
local holders = {}
for _, one in ipairs(readHolders(KEYS[1], nowUs).holders) do
  holders[#holders + 1] = { one.instance, string.format('%.0f %.0f %.0f %.0f', one.sequence, one.slots, one.endsUs, one.leaseMs) }
end
return { granted, left, holders }
