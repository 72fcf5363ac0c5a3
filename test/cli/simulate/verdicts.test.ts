// The simulator must decide as the plugin does: a log is replayed, and the same requests are sent to an application whose
// clock has the times of the log.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { stringify } from 'smol-toml'
import t from 'tap'
import { assertPropertyAsync } from '../../fixtures/property.js'
import { drive, policies, requests, type LoggedRequest } from './random-traffic.js'
import { replayLog } from './replay-log.js'

function writeLog (log: readonly LoggedRequest[], hasRoutes: boolean): string {
  let time = 1_700_000_000_000
  return log.map(({ gapMs, address, method, path: url, status, user, cost }) => {
    time += gapMs
    const given = { ...user === null ? {} : { user: user.id, tier: user.tier }, ...cost === null ? {} : { cost } }
    return `${JSON.stringify({ time, address, method, url, status: hasRoutes ? status : 404, ...given })}\n`
  }).join('')
}

const folder = mkdtempSync(join(tmpdir(), 'fastify-sluice-simulate-'))
t.teardown(() => { rmSync(folder, { recursive: true }) })
const file = join(folder, 'rate-limit.toml')

for (const hasRoutes of [true, false]) {
  t.test(`a log has the outcomes of the same requests to an application ${hasRoutes ? 'with' : 'without'} routes`, async () => {
    await assertPropertyAsync(fc.tuple(requests, policies), 80, async ([log, options]) => {
      writeFileSync(file, stringify({ ...options }))
      const expected = await drive(log, options, hasRoutes)
      assert.deepStrictEqual(replayLog(writeLog(log, hasRoutes), file), expected)
    })
  })
}
