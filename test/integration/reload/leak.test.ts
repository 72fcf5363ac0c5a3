// A thousand reloads leave nothing behind.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { shareRedis } from '../../fixtures/redis-server.js'

const CHILD = fileURLToPath(new URL('../../fixtures/reload-heap.js', import.meta.url))
/** What a runtime may gain by itself: compiled code, shapes of objects. A single set, kept a thousand times, is many times that. */
const MOST_GROWTH_BYTES = 2_000_000

const { url } = await shareRedis()

for (const [store, args] of [['memory', ['1000']], ['redis', ['300', url]]] as const) {
  t.test(`${store}: the heap stays as it is, and old sets are collected`, async (t) => {
    const child = spawn(process.execPath, ['--expose-gc', CHILD, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => { child.kill('SIGKILL') })
    const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
    const { heaps, collected, sets } = JSON.parse(output) as { heaps: number[], collected: number, sets: number }
    t.comment(heaps.map((bytes) => (bytes / 1e6).toFixed(2)).join(' '), `${collected} of ${sets} collected`)
    // All but the last, and what an answer of it still holds.
    t.ok(collected >= sets - 5, `${collected} of ${sets} collected`)
    const growth = heaps[heaps.length - 1] - heaps[0]
    t.ok(growth < MOST_GROWTH_BYTES, `${growth} bytes more`)
  })
}
