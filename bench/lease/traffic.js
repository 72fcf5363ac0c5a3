import { NEVER_REACHED } from '../contestants/index.js'
import { seededRandom } from '../random.js'

const YEAR_MS = 365 * 86_400_000

/** A bucket that does not drain: Redis would drop it while its contestant rests, and leases need seconds to begin again. */
const PASSING = { max: NEVER_REACHED, timeWindow: YEAR_MS }

const COLD_KEYS = 100_000
const BUSY_KEYS = 10

/**
 * Who sends the requests. `keys`: how many there are; `draw`: the key of the next request, given a seeded random number
 * function; `limit`: what each contestant allows a key; `isRefusing`: whether it refuses most requests.
 */
export const traffic = {
  uniform: { title: '1,000 keys, evenly', keys: 1000, draw: (random) => random(1000) },
  hot: { title: 'one key', keys: 1, draw: () => 0 },
  zipf: { title: 'Zipf over 10,000 keys', keys: 10_000, draw: createZipf(10_000) },
  cold: { title: '100,000 cold keys', keys: COLD_KEYS, draw: (random) => random(COLD_KEYS) },
  halfBusy: {
    title: 'half to 10 busy keys, half to 100,000 cold ones',
    keys: BUSY_KEYS + COLD_KEYS,
    draw: (random) => random(2) === 0 ? random(BUSY_KEYS) : BUSY_KEYS + random(COLD_KEYS)
  },
  flood: { title: 'one key over its 1,000 a second', keys: 1, draw: () => 0, limit: { max: 1000, timeWindow: 1000 }, isRefusing: true }
}

export function limitOf (name) {
  return traffic[name].limit ?? PASSING
}

/** Drawn beforehand, and sent again and again: the load must not compute. */
const DRAWS = 2 ** 18

export function drawKeys (name) {
  const random = seededRandom(1)
  return Uint32Array.from({ length: DRAWS }, () => traffic[name].draw(random))
}

/** The key of rank r is drawn in proportion to 1/r. */
function createZipf (keys) {
  const sums = new Float64Array(keys)
  let sum = 0
  for (let key = 0; key < keys; key++) sums[key] = sum += 1 / (key + 1)
  const PARTS = 2 ** 30
  return (random) => {
    const drawn = random(PARTS) / PARTS * sum
    let low = 0
    let high = keys - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle] > drawn) high = middle
      else low = middle + 1
    }
    return low
  }
}
