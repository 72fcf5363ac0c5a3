// A client of the application's, with every option that changes how ioredis sends. Nothing may throw outside a promise, and
// the application's own commands must go on.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { startCluster } from '../../fixtures/cluster.js'
import { startRedis } from '../../fixtures/redis-server.js'

const CHILD = fileURLToPath(new URL('../../fixtures/client-options-service.js', import.meta.url))
const LIBRARIES = ['ioredis', 'ioredis5', 'iovalkey']

const GOOD = { statuses: [200, 200, 200, 200, 200, 429], reset: 1, own: ['OK', '1'], isHealthy: true, uncaught: [] }

interface Results { readonly uncaught: readonly string[], readonly [row: string]: unknown }

async function runRows (library: string, ports: readonly number[], mode: string): Promise<Results> {
  const child = spawn(process.execPath, [CHILD, library, ports.join(','), mode], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
  return JSON.parse(output)
}

const server = await startRedis(t)
const cluster = await startCluster(t)

for (const library of LIBRARIES) {
  for (const [mode, ports] of [['single', [server.port]], ['cluster', cluster.primaries.map(({ port }) => port)]] as const) {
    t.test(`${library}, ${mode}: no option of a client breaks a call, or a command of the application`, async (t) => {
      const { uncaught, ...rows } = await runRows(library, ports, mode)
      for (const [row, result] of Object.entries(rows)) t.strictSame(result, GOOD, row)
      t.strictSame(uncaught, [])
      t.ok(Object.keys(rows).length > 20)
    })
  }
}
