// Seeded random sequences on the memory store and on Redis, which must agree in every field of every answer.
import t from 'tap'
import type { Limit, Penalty } from '../../../lib/stores/store.js'
import { Seeded } from '../../fixtures/seeded.js'
import { openBench, type Bench } from './open-store.js'
import { drawLimit, drawPenalty, SideBySide, withPeriod } from './side-by-side.js'
import { scaleToLane } from '../../fixtures/lane.js'

const FORWARD_US = [0, 0, 1, 137, 10_000, 333_333, 1_000_000, 12_345_678, 7_200_000_000]
const BACKWARD_US = [-1, -5000, -900_000, -59_000_000, -90_000_000_000]

const bench = await openBench(t)

interface Sequence {
  readonly stepsBack: boolean
  readonly changesNumbers: boolean
  /** Whether half of the limits have a period. */
  readonly hasPeriods?: boolean
}

async function runSequence (bench: Bench, prefix: string, seed: number, { stepsBack, changesNumbers, hasPeriods = false }: Sequence): Promise<SideBySide> {
  const random = new Seeded(seed)
  const draw = (bucket: string, penalties: readonly Penalty[]): Limit => {
    const limit = drawLimit(random, bucket, penalties)
    return hasPeriods && random.nextInt(2) === 0 ? withPeriod(random, limit) : limit
  }
  const buckets = Array.from({ length: 1 + random.nextInt(4) }, (_, i) => `app/${i}`)
  const penalties = Array.from({ length: random.nextInt(3) }, (_, i) => drawPenalty(random, `app/${i}`))
  const pair = new SideBySide(bench, prefix, random, buckets.map((bucket) => draw(bucket, penalties)), penalties)
  let everyLimit: readonly Limit[] = []
  try {
    for (let step = 0; step < 120; step++) {
      const isStepBack = stepsBack && random.nextInt(10) === 0
      if (isStepBack) await pair.expire()
      pair.clock.advance(random.pick(isStepBack ? BACKWARD_US : FORWARD_US))
      const does = random.nextInt(12)
      if (does < 8) await pair.take()
      else if (does < 10) await pair.adjust()
      else if (does < 11) await pair.peek()
      else if (random.nextInt(4) === 0) await pair.reset()
      if (changesNumbers && random.nextInt(12) === 0) {
        await pair.expire()
        // Never longer: what has expired under the old rule is gone from memory, but in Redis only once its real time is over.
        pair.penalties = pair.penalties.map(({ bucket, withinUs }) => drawPenalty(random, bucket, withinUs))
        const known = [...everyLimit, ...pair.limits]
        everyLimit = known
        pair.limits = pair.limits.map(({ bucket }) => {
          const changed = draw(bucket, pair.penalties)
          // Often the numbers from before, as when a change is taken back.
          const before = random.pick(known.filter((limit) => limit.bucket === bucket))
          return random.nextInt(3) === 0 ? { ...before, penalty: changed.penalty } : changed
        })
        pair.receipts = []
      }
    }
  } catch (error) {
    throw new Error(`seed ${seed}: the stores differ`, { cause: error })
  } finally {
    pair.close()
  }
  return pair
}

const SEQUENCES: ReadonlyArray<readonly [string, Sequence]> = [
  ['while time goes on', { stepsBack: false, changesNumbers: false }],
  ['while the clock also steps back', { stepsBack: true, changesNumbers: false }],
  ['while the numbers of the limits change', { stepsBack: false, changesNumbers: true }],
  ['while the numbers change and the clock steps back', { stepsBack: true, changesNumbers: true }]
]

/** One sequence alone meets few of all cases. */
const isShort = scaleToLane(24) < 6

for (const [title, sequence] of SEQUENCES) {
  t.test(`both stores agree ${title}`, async (t) => {
    const met = { refusals: 0, delays: 0, began: 0, blocked: 0 }
    const prefix = `twins-${SEQUENCES.findIndex(([other]) => other === title)}`
    for (let seed = 1; seed <= scaleToLane(24); seed++) {
      const { refusals, delays, began, blocked } = await runSequence(bench, `${prefix}-${seed}:`, seed, sequence)
      met.refusals += refusals
      met.delays += delays
      met.began += began
      met.blocked += blocked
    }
    t.ok(isShort || (met.refusals > scaleToLane(1000) && met.delays > scaleToLane(40, 5) && met.began > scaleToLane(30, 0) && met.blocked > scaleToLane(50, 0)), JSON.stringify(met))
  })
}

t.test('both stores agree on limits with a period, while their calendars and all numbers change, and the clock steps back', async (t) => {
  let refusals = 0
  for (let seed = 1; seed <= scaleToLane(24); seed++) {
    refusals += (await runSequence(bench, `twins-periods-${seed}:`, seed, { stepsBack: true, changesNumbers: true, hasPeriods: true })).refusals
  }
  t.ok(isShort || refusals > scaleToLane(1000), String(refusals))
})
