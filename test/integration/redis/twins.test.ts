// Seeded random sequences on the memory store and on Redis, which must agree in every field of every answer.
import t from 'tap'
import { Seeded } from '../../fixtures/seeded.js'
import { openBench, type Bench } from './open-store.js'
import { drawLimit, SideBySide } from './side-by-side.js'

const FORWARD_US = [0, 0, 1, 137, 10_000, 333_333, 1_000_000, 12_345_678, 7_200_000_000]
const BACKWARD_US = [-1, -5000, -900_000, -59_000_000, -90_000_000_000]

const bench = await openBench(t)

function numbersOf ({ algorithm, max, windowUs, capacity }: { algorithm: string, max: number, windowUs: number, capacity: number }): string {
  return [algorithm, max, windowUs, capacity].join()
}

interface Sequence {
  readonly stepsBack: boolean
  readonly changesNumbers: boolean
}

async function runSequence (bench: Bench, prefix: string, seed: number, { stepsBack, changesNumbers }: Sequence): Promise<number> {
  const random = new Seeded(seed)
  const buckets = Array.from({ length: 1 + random.below(4) }, (_, i) => `app/${i}`)
  const pair = new SideBySide(bench, prefix, random, buckets.map((bucket) => drawLimit(random, bucket)))
  const known = new Set(pair.limits.map((limit) => limit.bucket + numbersOf(limit)))
  try {
    for (let step = 0; step < 120; step++) {
      const isStepBack = stepsBack && random.below(10) === 0
      if (isStepBack) await pair.expire()
      pair.clock.advance(random.oneOf(isStepBack ? BACKWARD_US : FORWARD_US))
      const does = random.below(12)
      if (does < 8) await pair.take()
      else if (does < 10) await pair.adjust()
      else if (does < 11) await pair.peek()
      else if (random.below(4) === 0) await pair.reset()
      if (changesNumbers && random.below(12) === 0) {
        // Never numbers from before: Redis remembers what the version that had them used, see versions.test.ts.
        pair.limits = pair.limits.map((limit) => {
          const changed = drawLimit(random, limit.bucket)
          if (known.has(changed.bucket + numbersOf(changed))) return limit
          known.add(changed.bucket + numbersOf(changed))
          return changed
        })
        pair.receipts = []
      }
    }
  } catch (error) {
    throw new Error(`seed ${seed}: the stores differ`, { cause: error })
  } finally {
    pair.close()
  }
  return pair.refusals
}

const SEQUENCES: ReadonlyArray<readonly [string, Sequence]> = [
  ['while time goes on', { stepsBack: false, changesNumbers: false }],
  ['while the clock also steps back', { stepsBack: true, changesNumbers: false }],
  ['while the numbers of the limits change', { stepsBack: false, changesNumbers: true }],
  ['while the numbers change and the clock steps back', { stepsBack: true, changesNumbers: true }]
]

for (const [title, sequence] of SEQUENCES) {
  t.test(`both stores agree ${title}`, async (t) => {
    let refusals = 0
    const prefix = `twins-${SEQUENCES.findIndex(([other]) => other === title)}`
    for (let seed = 1; seed <= 12; seed++) refusals += await runSequence(bench, `${prefix}-${seed}:`, seed, sequence)
    t.ok(refusals > 300, `${refusals} refusals among them`)
  })
}
