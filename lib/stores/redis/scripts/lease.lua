-- Units of token buckets that are leased. Twin: lib/algorithms/lease.ts, which explains it. Same names, same results.
-- A bucket with leases has slotEndUs (else nil), gridUs, apart and apartNext, all integers.
-- One function that creates the others: a call that meets no lease does not pay for them.

local function loadLeases ()
  local floor, ceil, max, min = math.floor, math.ceil, math.max, math.min
  local pack, unpack, sub = struct.pack, struct.unpack, string.sub
  local VERSION = 1
  local MAX_SAFE_INTEGER = 9007199254740991
  local MAX_UNITS_APART = 16777215
  local MIN_SHARE = 4

  local function endOfSlot (gridUs, nowUs)
    return (floor(nowUs / gridUs) + 1) * gridUs
  end

  local function addUnits (quota, bucket, units)
    local num = bucket.count + units * quota.intervalNum
    local whole = floor(num / quota.intervalDen)
    bucket.timeUs = bucket.timeUs + units * quota.intervalUs + whole
    bucket.count = num - whole * quota.intervalDen
  end

  local function holdBack (quota, bucket, atUs)
    local units = bucket.apart + bucket.apartNext
    if units == 0 then return end
    local num = units * quota.intervalNum
    local whole = floor(num / quota.intervalDen)
    local timeUs = atUs + units * quota.intervalUs + whole
    local count = num - whole * quota.intervalDen
    if bucket.timeUs > timeUs or (bucket.timeUs == timeUs and bucket.count >= count) then return end
    bucket.timeUs, bucket.count = timeUs, count
  end

  local function advanceLeases (quota, bucket, nowUs)
    if not bucket.slotEndUs then return end
    local gridUs = bucket.gridUs
    if bucket.slotEndUs - nowUs > 3 * gridUs then
      bucket.apart, bucket.apartNext = 0, 0
      bucket.slotEndUs = endOfSlot(gridUs, nowUs) + 2 * gridUs
      return
    end
    if bucket.slotEndUs <= nowUs then
      holdBack(quota, bucket, bucket.slotEndUs)
      bucket.apart, bucket.apartNext = bucket.apartNext, 0
      if bucket.slotEndUs + gridUs <= nowUs then
        holdBack(quota, bucket, bucket.slotEndUs + gridUs)
        bucket.apart = 0
      end
      bucket.slotEndUs = endOfSlot(gridUs, nowUs)
    end
    holdBack(quota, bucket, nowUs)
  end

  local function isOpen (bucket, nowUs)
    return bucket.slotEndUs and bucket.slotEndUs - nowUs <= bucket.gridUs
  end

  local function openLeases (bucket, gridUs, nowUs)
    if not bucket.slotEndUs then
      bucket.gridUs, bucket.apart, bucket.apartNext = gridUs, 0, 0
      bucket.slotEndUs = endOfSlot(gridUs, nowUs) + 2 * gridUs
    elseif bucket.gridUs ~= gridUs and bucket.apart + bucket.apartNext == 0 and isOpen(bucket, nowUs) then
      bucket.gridUs = gridUs
      bucket.slotEndUs = endOfSlot(gridUs, nowUs)
    end
  end

  local function closeLeases (bucket, nowUs)
    if bucket.apart + bucket.apartNext == 0 then return false end
    bucket.timeUs, bucket.count, bucket.apart, bucket.apartNext = nowUs, 0, 0, 0
    bucket.slotEndUs = bucket.slotEndUs + 2 * bucket.gridUs
    return true
  end

  local function settleLeases (quota, bucket, reports, nowUs)
    for _, report in ipairs(reports) do
      local isCurrent = report.slotEndUs == bucket.slotEndUs
      if isCurrent or (bucket.slotEndUs and report.slotEndUs == bucket.slotEndUs + bucket.gridUs) then
        local known = isCurrent and bucket.apart or bucket.apartNext
        local freed = min(report.returned, known)
        local left = known - freed - min(report.spent, known - freed)
        if isCurrent then bucket.apart = left else bucket.apartNext = left end
        addUnits(quota, bucket, -freed)
      end
    end
    if bucket.slotEndUs then holdBack(quota, bucket, nowUs) end
  end

  local function shareUnits (remaining, want, soon)
    local quarter = floor(remaining / 4)
    return min(want, max(quarter < MIN_SHARE and 0 or quarter, min(soon, remaining)))
  end

  local function leaseUnits (quota, bucket, remaining, request, nowUs)
    if not isOpen(bucket, nowUs) then return 0 end
    local units = min(shareUnits(remaining, request.want, request.soon), MAX_UNITS_APART - bucket.apartNext)
    bucket.apartNext = bucket.apartNext + units
    addUnits(quota, bucket, units)
    return units
  end

  local function toUs (quota, units)
    return units * quota.intervalUs + ceil(units * quota.intervalNum / quota.intervalDen)
  end

  local function computeLeaseWaitUs (quota, bucket, cost, nowUs)
    if not bucket.slotEndUs then return 0 end
    local room = quota.capacity - cost
    local over, overNext = bucket.apart + bucket.apartNext - room, bucket.apartNext - room
    local slotUs = bucket.slotEndUs - nowUs
    return max(over > 0 and slotUs + toUs(quota, over) or 0, overNext > 0 and slotUs + bucket.gridUs + toUs(quota, overNext) or 0)
  end

  local function leasesEndUs (quota, bucket)
    local lastEndUs = bucket.slotEndUs + bucket.gridUs
    return max(lastEndUs + toUs(quota, bucket.apart + bucket.apartNext), lastEndUs + bucket.gridUs)
  end

  -- A request for a lease, as take.lua documents it. Returns the next position too.
  local function readRequest (checks, position)
    local request, reports = {}, { {}, {} }
    request.gridUs, request.want, request.soon, position = unpack('>I4I4I4', checks, position)
    for i = 1, 2 do
      local report = reports[i]
      report.slotEndUs, report.spent, report.returned, position = unpack('>I7I4I4', checks, position)
    end
    request.reports = reports
    return request, position
  end

  -- Whether a value starts with leases, as bucket.lua documents them.
  local function isStored (stored)
    return sub(stored, 1, 1) == 'U' and sub(stored, 9, 9) == '\128'
  end

  -- Returns whether this version can have written them.
  local function decodeLeases (bucket, stored)
    local version
    bucket.slotEndUs, bucket.gridUs, version, bucket.apart, bucket.apartNext = unpack('>I7xxxxxxxxI4I1I3I3', stored, 2)
    return version == VERSION and bucket.gridUs > 0 and bucket.slotEndUs > 0 and bucket.slotEndUs < MAX_SAFE_INTEGER
  end

  local function encodeLeases (bucket)
    return 'U' .. pack('>I7', bucket.slotEndUs) .. '\128\0\0\0\0\0\0\0' ..
      pack('>I4I1I3I3', bucket.gridUs, VERSION, bucket.apart, bucket.apartNext)
  end

  return {
    readRequest = readRequest,
    isStored = isStored,
    decode = decodeLeases,
    encode = encodeLeases,
    advance = advanceLeases,
    open = openLeases,
    close = closeLeases,
    settle = settleLeases,
    lease = leaseUnits,
    share = shareUnits,
    hold = holdBack,
    waitUs = computeLeaseWaitUs,
    endUs = leasesEndUs
  }
end
