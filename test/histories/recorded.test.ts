// Short histories of real processes, and of wrong builds. `npm run histories` records long ones.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { breakPackage } from './broken.js'
import { checkHistory, type Verdict } from './check/check.js'
import { readHistory } from './history.js'
import { formatCounts, formatViolation } from './report.js'
import { recordHistory, type RunOptions } from './run.js'

const ATTEMPTS = 5
/** They are wrong rules of models/lease-rules.ts. */
const WRONG_BUILDS = ['spent units are given back', 'leased units are not counted as used', 'no expiry at the holder']

async function record (t: Test, options: Pick<RunOptions, 'lengthMs'> & Partial<RunOptions>): Promise<Verdict> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-histories-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const path = join(directory, 'history.jsonl')
  await recordHistory(t, { seed: 5, topology: 'single', ratePerSecond: 600, connectionsPerSlot: 8, packageUrl: breakPackage(null), path, ...options })
  const history = await readHistory(path)
  const verdict = checkHistory(history)
  t.comment(formatCounts(verdict.counts))
  for (const violation of verdict.violations.slice(0, 3)) t.comment(formatViolation(violation, history))
  return verdict
}

t.test('under faults, every guarantee holds on all that was recorded', async (t) => {
  const { violations, counts } = await record(t, { lengthMs: 12_000 })
  t.equal(violations.length, 0)
  t.ok(counts.granted > 0 && counts.refused > 0 && counts.faults > 5, 'it is not idle')
})

for (const name of WRONG_BUILDS) {
  t.test(`a wrong build is found: ${name}`, async (t) => {
    const options = { lengthMs: 6500, hasFaults: false, only: 'leased', ratePerSecond: 300, packageUrl: breakPackage(name) }
    // On a busy machine, one may have too few requests to show it.
    for (let seed = 1; seed <= ATTEMPTS; seed++) {
      const { violations } = await record(t, { ...options, seed })
      if (violations.some(({ kind }) => kind === 'over-admission')) return
    }
    t.fail('no violation was found')
  })
}
