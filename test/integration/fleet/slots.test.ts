// Requests that start, end and are killed at random in four processes on one Redis, one of them paused for longer than its
// lease: never more than the bound, and all slots return.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { SLOT_PARTITION, SLOT_RECORD_BYTES, slotLimit, type SlotNodeSetup } from '../../fixtures/slot-node.js'
import { shareRedis } from '../../fixtures/redis-server.js'
import { sleep, until } from '../../fixtures/until.js'
import { openBench } from '../redis/open-store.js'

const MAX = 5
const LEASE_MS = 1000
/** Until a process that goes on has read its replies. */
const READ_MS = 50
const KEY_PREFIX = 'slot-fleet:'

interface Change {
  readonly atMs: number
  readonly node: number
  readonly running: number
}

const nowMs = () => Number(process.hrtime.bigint()) / 1_000_000

async function startNode (t: Test, setup: SlotNodeSetup): Promise<ChildProcess> {
  const child = fork(fileURLToPath(new URL('../../fixtures/slot-node.js', import.meta.url)), { env: { ...process.env, NODE_OPTIONS: '', SLOT_NODE: JSON.stringify(setup) } })
  t.teardown(() => { child.kill('SIGKILL') })
  await once(child, 'message')
  return child
}

function readChanges (files: readonly string[]): Change[] {
  return files.flatMap((file, node) => {
    const data = readFileSync(file)
    return Array.from({ length: Math.floor(data.length / SLOT_RECORD_BYTES) }, (_, i) => {
      const at = i * SLOT_RECORD_BYTES
      return { atMs: Number(data.readBigUInt64BE(at)) / 1_000_000, node, running: data.readUInt32BE(at + 8) }
    })
  }).sort((a, b) => a.atMs - b.atMs)
}

/** The most requests that ran at once in a time, and when; `excess`: requests that are not counted then. */
function findPeak (changes: readonly Change[], fromMs: number, untilMs: number, excess: (atMs: number) => number = () => 0): number {
  const running = new Map<number, number>()
  let peak = 0
  for (const { atMs, node, running: count } of changes) {
    running.set(node, count)
    const total = [...running.values()].reduce((sum, one) => sum + one, 0)
    if (atMs >= fromMs && atMs < untilMs) peak = Math.max(peak, total - excess(atMs))
  }
  return peak
}

t.test('at most max requests run, through kills and pauses, and all slots return', async (t) => {
  const { url } = await shareRedis()
  const bench = await openBench(t)
  const directory = mkdtempSync(join(tmpdir(), 'sluice-slots-'))
  t.teardown(() => { rmSync(directory, { recursive: true }) })
  const files = Array.from({ length: 4 }, (_, i) => join(directory, String(i)))
  const nodes = await Promise.all(files.map((file) => startNode(t, { redis: url, file, keyPrefix: KEY_PREFIX, max: MAX, leaseMs: LEASE_MS })))
  const beganMs = nowMs()
  await sleep(1000)
  nodes[3].kill('SIGKILL')
  await once(nodes[3], 'exit')
  const killedMs = nowMs()
  await sleep(LEASE_MS + 1000)
  const pausedMs = nowMs()
  nodes[2].kill('SIGSTOP')
  await sleep(LEASE_MS * 2)
  const resumedMs = nowMs()
  nodes[2].kill('SIGCONT')
  await sleep(1000)
  for (const node of nodes.slice(0, 3)) node.send('end')
  await Promise.all(nodes.slice(0, 3).map((node) => once(node, 'exit')))
  const endedMs = nowMs()

  const all = readChanges(files)
  // What a killed process ran is over.
  const changes = [...all, { atMs: killedMs, node: 3, running: 0 }].sort((a, b) => a.atMs - b.atMs)
  // The signal may come some time after it was sent.
  const ofPaused = all.filter(({ node, atMs }) => node === 2 && atMs < resumedMs + READ_MS)
  const atPause = Math.max(
    ofPaused.filter(({ atMs }) => atMs < resumedMs).at(-1)?.running ?? 0,
    // A slot that was granted just before is read just after.
    ...ofPaused.filter(({ atMs }) => atMs >= resumedMs).map(({ running }) => running)
  )
  t.ok(all.length > 500, `${all.length} changes`)
  t.equal(findPeak(changes, beganMs, pausedMs), MAX, 'all slots are used, and no more, also after a process was killed')
  t.equal(findPeak(changes, killedMs + LEASE_MS + 300, pausedMs), MAX, 'the slots of a killed process return')
  t.ok(findPeak(changes, pausedMs, endedMs, (atMs) => atMs < resumedMs + 200 ? atPause : 0) <= MAX, `beyond max runs only what was paused: ${atPause}`)
  t.equal(findPeak(changes.filter(({ node }) => node !== 2), pausedMs + LEASE_MS + 300, resumedMs), MAX, 'the slots of a paused process return')

  const store = bench.store({ keyPrefix: KEY_PREFIX })
  await until('all slots are free', LEASE_MS, async () => {
    const [standing] = await store.peek([slotLimit(MAX, LEASE_MS)], SLOT_PARTITION)
    return standing.remaining === MAX
  })
})
