import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { openWatcher, type OpenWatcher } from '../../lib/config/file/watch-events.js'
import { watchFile } from '../../lib/config/file/watch.js'
import { startSettledWatch, startWatch, WITHIN_MS } from '../fixtures/watched-file.js'
import { until } from '../fixtures/until.js'

/** How many inodes this process has the kernel watch; Linux only. */
function inotifyWatches (): number {
  return readdirSync('/proc/self/fdinfo').map((fd) => {
    try {
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').split('\n').filter((line) => line.startsWith('inotify wd:')).length
    } catch {
      return 0 // the descriptor of the listing itself
    }
  }).reduce((sum, count) => sum + count, 0)
}

t.test('no callback runs after close, whenever it comes', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const early = startWatch(t, path, { loadedContent: 'max = 0' })
  early.close()
  let events = 0
  const midway = await startSettledWatch(t, path, {
    open: (place, onEvent) => openWatcher(place, () => {
      events++
      onEvent()
    })
  })
  const late = await startSettledWatch(t, path)
  const open = await startSettledWatch(t, path)
  writeFileSync(path, 'max = 2')
  await until('it has heard of it', WITHIN_MS, () => events > 0)
  midway.close()
  await open.changed('max = 2')
  late.close()
  late.close()
  late.told.changes.length = 0
  writeFileSync(path, 'max = 3')
  await open.changed('max = 3')
  for (const watch of [early, midway, late]) t.strictSame(watch.told, { changes: [], missing: 0, errors: [] })
})

t.test('a watch that is closed while it reads the file tells nothing', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  let isOver = false
  let early = 0
  let late = 0
  // They look in step: as the first one tells, the others are at every point of their second look.
  const watches = Array.from({ length: 100 }, () => watchFile(path, {
    loadedContent: 'max = 0',
    onChange: () => {
      if (isOver) late++
      else early++
      isOver = true
      for (const watch of watches) watch.close()
    }
  }))
  await until('the first one tells', WITHIN_MS, () => isOver)
  const other = await startSettledWatch(t, path)
  writeFileSync(path, 'max = 2')
  await other.changed('max = 2')
  t.strictSame({ early, late }, { early: 1, late: 0 })
})

t.test('a watch can be closed by its own callback', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  let changes = 0
  const watch = watchFile(path, {
    loadedContent: 'max = 0',
    onChange: () => {
      changes++
      watch.close()
    }
  })
  await until('a change', WITHIN_MS, () => changes === 1)
  const other = await startSettledWatch(t, path)
  writeFileSync(path, 'max = 2')
  await other.changed('max = 2')
  t.equal(changes, 1)
})

t.test('1000 watches that are opened and closed leave nothing behind', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const isLinux = process.platform === 'linux'
  let opened = 0
  let closed = 0
  const open: OpenWatcher = (place, onEvent) => {
    opened++
    const watcher = openWatcher(place, onEvent)
    return {
      on: (event, listener) => watcher.on(event, listener),
      close: () => {
        closed++
        watcher.close()
      }
    }
  }
  const before = { resources: process.getActiveResourcesInfo().length, watches: isLinux ? inotifyWatches() : 0 }
  for (let round = 0; round < 20; round++) {
    let telling = 0
    const watches = Array.from({ length: 50 }, () => watchFile(path, { loadedContent: 'max = 0', open, onChange: () => { telling++ } }))
    // Some before their first look, some in the middle of it, most at rest.
    for (const watch of watches.splice(0, 5)) watch.close()
    await until('some are told', WITHIN_MS, () => telling > 0)
    for (const watch of watches.splice(0, 15)) watch.close()
    await until('the others are told', WITHIN_MS, () => telling >= 30)
    for (const watch of watches) watch.close()
  }
  t.ok(opened > 500, `${opened} watchers`)
  t.equal(closed, opened)
  await until('no resource more than before', WITHIN_MS, () => process.getActiveResourcesInfo().length <= before.resources)
  if (isLinux) t.equal(inotifyWatches(), before.watches)
})

const ALIVE: ReadonlyArray<readonly [when: string, body: string, toldAtEnd: number]> = [
  ['at rest', 'while (told === 0) await setTimeout(10)', 1],
  ['between two looks', '', 0]
]
for (const [when, body, toldAtEnd] of ALIVE) {
  t.test(`a watch ${when} does not keep the process alive`, async (t) => {
    const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
    const code = `
      import { setTimeout } from 'node:timers/promises'
      import { watchFile } from ${JSON.stringify(pathToFileURL('lib/config/file/watch.ts').href)}
      let told = 0
      watchFile(${JSON.stringify(path)}, { loadedContent: 'max = 0', onChange () { told++ } })
      process.on('exit', () => { process.stdout.write('told: ' + told) })
      ${body}`
    const child = spawn(process.execPath, [...process.execArgv, '--input-type=module', '--eval', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => { child.kill('SIGKILL') })
    let output = ''
    child.stdout.on('data', (chunk) => { output += chunk })
    t.strictSame(await once(child, 'close'), [0, null])
    t.equal(output, `told: ${toldAtEnd}`)
  })
}
