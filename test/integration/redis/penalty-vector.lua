-- One row of the table of penalties, for tests.
--   KEYS[1]  where the row's conduct is kept before and after
--   ARGV[1]  a limit with the row's rule, see call.lua
--   ARGV[2]  JSON: strikes, and the conduct, or not
--   ARGV[3]  the row's time
-- Replies { began 0 or 1, isToBeStored 0 or 1, blockedUs, lifeUs, then the conduct as a list } in text.

local row, rule, key = cjson.decode(ARGV[2]), limits[1].penalty, KEYS[1]

-- Whatever is left of its life, for what is kept is looked at here.
local function store (conduct)
  local stored = pack('>I4I1I7I7I7', conduct.strikes, conduct.level, conduct.startUs, conduct.quietFromUs, conduct.blockUs)
  redis.call('SET', key, 'P' .. stored, 'PX', 60000)
  penaltyStates[key] = nil
end

redis.call('DEL', key)
if row.conduct then store(row.conduct) end
local entry = loadPenaltyEntry(rule, key, nowUs)
if row.strikes > 0 and blockedUs(entry.state, nowUs) == 0 then addStrikes(entry, row.strikes, nowUs) end

local reply = { entry.began and '1' or '0', entry.kept.rule and '1' or '0' }
store(entry.state)
local conduct = readPenaltyState(key)
local numbers = { blockedUs(conduct, nowUs), penaltyTtlUs(rule, conduct, nowUs),
  conduct.startUs, conduct.strikes, conduct.level, conduct.quietFromUs, conduct.blockUs }
for _, number in ipairs(numbers) do reply[#reply + 1] = string.format('%.0f', number) end
return reply
