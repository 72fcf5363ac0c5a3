-- Progressive cooldown. Twin: lib/algorithms/penalty.ts, which explains it. Same names, same results.
-- A penalty state is a table of integers: startUs, strikes, level, quietFromUs, blockUs.

local MAX_LEVELS = 100

local function advancePenalty (rule, state, nowUs)
  local longestUs = min(state.blockUs, rule.maxCooldownUs)
  local isAhead = state.startUs > nowUs or state.quietFromUs - nowUs > longestUs
  if isAhead then
    state.startUs = min(state.startUs, nowUs)
    state.quietFromUs = min(state.quietFromUs, nowUs + longestUs)
  end
  if nowUs - state.startUs >= rule.withinUs then state.strikes = 0 end
  if state.quietFromUs <= nowUs then
    local droppedLevels = min(state.level, floor((nowUs - state.quietFromUs) / rule.withinUs))
    state.level = state.level - droppedLevels
    state.quietFromUs = state.quietFromUs + droppedLevels * rule.withinUs
    state.blockUs = 0
  end
  return isAhead
end

local function blockedUs (state, nowUs)
  return max(0, state.quietFromUs - nowUs)
end

local function cooldownUs (rule, level)
  local us, step = rule.cooldownUs, 0
  while step < level and us < rule.maxCooldownUs do
    us, step = us * rule.factor, step + 1
  end
  return min(rule.maxCooldownUs, floor(us))
end

local function strike (rule, state, strikes, nowUs)
  if state.strikes == 0 then state.startUs = nowUs end
  state.strikes = state.strikes + strikes
  state.quietFromUs = nowUs
  if state.strikes < rule.strikes then return false end
  state.strikes = 0
  state.blockUs = cooldownUs(rule, state.level)
  state.quietFromUs = state.quietFromUs + state.blockUs
  if rule.factor > 1 and state.blockUs < rule.maxCooldownUs and state.level < MAX_LEVELS then
    state.level = state.level + 1
  end
  return true
end

local function penaltyTtlUs (rule, state, nowUs)
  local strikesUs = state.strikes == 0 and 0 or state.startUs + rule.withinUs - nowUs
  return max(0, strikesUs, state.quietFromUs + state.level * rule.withinUs - nowUs)
end
