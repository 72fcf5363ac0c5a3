-- Report the slots that a process holds, without a check: slots that were given back, and the heartbeat.
--   KEYS     the slots of each report, in order
--   ARGV[1]  no limits, see call.lua
--   ARGV[2]  instance:8, then for each key sequence:7 slots:4 lease:4 keep:1
--            keep: 1 keeps an entry without slots, as an earlier check of the process may be executed later
-- Returns the error text of the first key that could not be read or written, or that was damaged, or ''.

local reports, err = ARGV[2], nil
local instance, position = unpack('>c8', reports)

for i = 1, #KEYS do
  local sequence, slots, leaseMs, keep
  sequence, slots, leaseMs, keep, position = unpack('>I7I4I4I1', reports, position)
  local kept = readHolders(KEYS[i], nowUs)
  err = err or kept.err
  if not kept.err then
    local reported = enterReport(kept, instance, sequence, slots, leaseMs, nowUs)
    if not reported.isStale then
      reported.own.slots, reported.own.isKept = slots, keep == 1
    end
  end
end

return writeHolders(nowUs, marginMs) or err or describeDamage() or ''
