-- Progressive cooldown. Twin: lib/algorithms/penalty.ts, which explains it; same names, same results.
-- A conduct is a table of integers: startUs, strikes, level, quietFromUs, blockUs.

local MOST_LEVELS = 100

local function settleConduct (rule, conduct, nowUs)
  local longestUs = min(conduct.blockUs, rule.maxCooldownUs)
  local isAhead = conduct.startUs > nowUs or conduct.quietFromUs - nowUs > longestUs
  if isAhead then
    conduct.startUs = min(conduct.startUs, nowUs)
    conduct.quietFromUs = min(conduct.quietFromUs, nowUs + longestUs)
  end
  if nowUs - conduct.startUs >= rule.withinUs then conduct.strikes = 0 end
  if conduct.quietFromUs <= nowUs then
    local forgiven = min(conduct.level, floor((nowUs - conduct.quietFromUs) / rule.withinUs))
    conduct.level = conduct.level - forgiven
    conduct.quietFromUs = conduct.quietFromUs + forgiven * rule.withinUs
    conduct.blockUs = 0
  end
  return isAhead
end

local function blockedUs (conduct, nowUs)
  return max(0, conduct.quietFromUs - nowUs)
end

local function cooldownUs (rule, level)
  local us, step = rule.cooldownUs, 0
  while step < level and us < rule.maxCooldownUs do
    us, step = us * rule.factor, step + 1
  end
  return min(rule.maxCooldownUs, floor(us))
end

local function strike (rule, conduct, strikes, nowUs)
  if conduct.strikes == 0 then conduct.startUs = nowUs end
  conduct.strikes = conduct.strikes + strikes
  conduct.quietFromUs = nowUs
  if conduct.strikes < rule.strikes then return false end
  conduct.strikes = 0
  conduct.blockUs = cooldownUs(rule, conduct.level)
  conduct.quietFromUs = conduct.quietFromUs + conduct.blockUs
  if rule.factor > 1 and conduct.blockUs < rule.maxCooldownUs and conduct.level < MOST_LEVELS then
    conduct.level = conduct.level + 1
  end
  return true
end

local function conductLifeUs (rule, conduct, nowUs)
  local strikesUs = conduct.strikes == 0 and 0 or conduct.startUs + rule.withinUs - nowUs
  return max(0, strikesUs, conduct.quietFromUs + conduct.level * rule.withinUs - nowUs)
end
