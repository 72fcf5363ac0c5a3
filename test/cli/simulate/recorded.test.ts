// A recording must be decided as the requests were, also those whose costs, users and tiers only the application knows.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { stringify } from 'smol-toml'
import t from 'tap'
import type { RateLimitOptions } from '../../../lib/index.js'
import { assertPropertyAsync } from '../../fixtures/property.js'
import { drive, policies, requests } from './random-traffic.js'
import { replayLog } from './replay-log.js'

const folder = mkdtempSync(join(tmpdir(), 'fastify-sluice-record-'))
t.teardown(() => { rmSync(folder, { recursive: true }) })
const config = join(folder, 'rate-limit.toml')

/** An hour: a line and that of its response are not far from each other. */
const WINDOW_US = 3_600_000_000

/** Each limit but the first takes another multiple of the cost. */
function addCosts ({ limits, ...options }: RateLimitOptions): RateLimitOptions {
  if (limits === undefined) return options
  return {
    ...options,
    limits: limits.map((limit, index) => index === 0 ? limit : { ...limit, cost: ({ headers }) => Number(headers['x-cost'] ?? 1) * index })
  }
}

for (const hashClients of [true, false]) {
  t.test(`a recording has the outcomes of its requests, with clients ${hashClients ? 'hashed' : 'in clear'}`, async () => {
    let run = 0
    await assertPropertyAsync(fc.tuple(requests, policies), 30, async ([log, options]) => {
      // A share of clients is selected by their names, which are other ones in the recording.
      if (hashClients && options.enforce !== undefined) return
      const file = join(folder, `${hashClients}-${run++}.jsonl`)
      writeFileSync(config, stringify({ ...options }))
      const outcomes = await drive(log, { ...addCosts(options), record: { file, hashClients } }, true)
      const recorded = outcomes.filter((outcome) => outcome !== 'unlimited')
      const text = recorded.length === 0 ? '' : readFileSync(file, 'utf8')
      rmSync(file, { force: true })
      assert.deepStrictEqual(replayLog(text, config, WINDOW_US), recorded)
      if (hashClients) assert.doesNotMatch(text, /203\.0\.113|198\.51\.100|2001:db8|"user":"4/)
    })
  })
}
