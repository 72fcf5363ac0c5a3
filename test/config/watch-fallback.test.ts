// Without events from the system: network mounts, used-up inotify limits, watchers that fail.
import { EventEmitter } from 'node:events'
import { mkdirSync, readFileSync, rmSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { openWatcher, type OpenWatcher } from '../../lib/config/file/watch-events.js'
import { startSettledWatch, NEVER_MS, replaceFile, swapLink, startWatch, WITHIN_MS } from '../fixtures/watched-file.js'
import { until } from '../fixtures/until.js'

const POLL_MS = 20

class SilentWatcher extends EventEmitter {
  isClosed = false

  close (): void {
    this.isClosed = true
  }
}

const openSilent: OpenWatcher = () => new SilentWatcher()

function systemError (code: string): Error {
  return Object.assign(new Error(`${code}: watch`), { code, syscall: 'watch' })
}

t.test('on a mount without events, the poll tells of each kind of change', async (t) => {
  const dir = t.testdir({ a: { 'rate-limit.toml': 'max = 1' }, b: { 'rate-limit.toml': 'max = 4' }, data: t.fixture('symlink', 'a') })
  const path = join(dir, 'data/rate-limit.toml')
  const watch = await startSettledWatch(t, path, { open: openSilent, pollMs: POLL_MS })
  writeFileSync(path, 'max = 2')
  await watch.changed('max = 2')
  replaceFile(path, 'max = 3')
  await watch.changed('max = 3')
  swapLink('b', join(dir, 'data'))
  await watch.changed('max = 4')
  unlinkSync(path)
  await watch.missing(1)
  writeFileSync(path, 'max = 5')
  await watch.changed('max = 5')
  rmSync(dirname(path), { recursive: true })
  await watch.missing(2)
  mkdirSync(join(dir, 'c'))
  writeFileSync(join(dir, 'c/rate-limit.toml'), 'max = 6')
  swapLink('c', join(dir, 'data'))
  await watch.changed('max = 6')
  t.strictSame(watch.told, { changes: ['max = 2', 'max = 3', 'max = 4', 'max = 5', 'max = 6'], missing: 2, errors: [] })
})

t.test('the poll sees a change that keeps size and modification time', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  utimesSync(path, 1000, 1000)
  const watch = await startSettledWatch(t, path, { open: openSilent, pollMs: POLL_MS })
  writeFileSync(path, 'max = 2')
  utimesSync(path, 1000, 1000)
  await watch.changed('max = 2')
})

t.test('a poll that finds nothing new tells nothing', async (t) => {
  const dir = t.testdir({ 'rate-limit.toml': 'max = 1', other: '0' })
  const watch = await startSettledWatch(t, join(dir, 'rate-limit.toml'), { open: openSilent, pollMs: 1 })
  const other = await startSettledWatch(t, join(dir, 'other'), { open: openSilent, pollMs: POLL_MS })
  for (const text of ['1', '2', '3']) {
    utimesSync(join(dir, 'rate-limit.toml'), 1000, 1000)
    writeFileSync(join(dir, 'other'), text)
    await other.changed(text)
  }
  t.strictSame(watch.told, { changes: [], missing: 0, errors: [] })
})

for (const code of ['EMFILE', 'ENOSPC', 'EPERM']) {
  t.test(`where fs.watch throws ${code}, that is told once and the poll tells of changes`, async (t) => {
    const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
    let attempts = 0
    const open: OpenWatcher = () => {
      attempts++
      throw systemError(code)
    }
    const watch = await startSettledWatch(t, path, { open, pollMs: POLL_MS })
    for (const text of ['max = 2', 'max = 3']) {
      writeFileSync(path, text)
      await watch.changed(text)
    }
    t.ok(attempts > 2, 'it tries again')
    t.strictSame(watch.told.errors, [systemError(code)])
  })

  t.test(`where a watcher fails with ${code} later, that is told once and the poll tells of changes`, async (t) => {
    const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
    const open: OpenWatcher = () => {
      const watcher = new SilentWatcher()
      process.nextTick(() => watcher.emit('error', systemError(code)))
      return watcher
    }
    const watch = await startSettledWatch(t, path, { open, pollMs: POLL_MS })
    for (const text of ['max = 2', 'max = 3']) {
      writeFileSync(path, text)
      await watch.changed(text)
    }
    t.strictSame(watch.told.errors, [systemError(code)])
  })
}

t.test('a watcher that fails as soon as it is open is not opened over and over', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  let attempts = 0
  const open: OpenWatcher = () => {
    attempts++
    const watcher = new SilentWatcher()
    process.nextTick(() => watcher.emit('error', systemError('EMFILE')))
    return watcher
  }
  const watch = await startSettledWatch(t, path, { open, pollMs: NEVER_MS })
  const other = await startSettledWatch(t, path, {})
  for (const text of ['max = 2', 'max = 3', 'max = 4']) {
    writeFileSync(path, text)
    await other.changed(text)
  }
  t.ok(attempts <= 5, `${attempts} times`) // two places, and a file is another one after a burst at most
  t.equal(watch.told.errors.length, 1)
})

t.test('events are used again once the system gives them again', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  let isShort = true
  let opened = 0
  const open: OpenWatcher = (place, onEvent) => {
    if (isShort) throw systemError('EMFILE')
    opened++
    return openWatcher(place, onEvent)
  }
  const watch = await startSettledWatch(t, path, { open, pollMs: POLL_MS })
  isShort = false
  await until('a watcher of the directory and one of the file', WITHIN_MS, () => opened === 2)
  writeFileSync(path, 'max = 2')
  await watch.changed('max = 2')
  t.strictSame(watch.told.errors, [systemError('EMFILE')])
})

t.test('an event that comes while a change is being told is not lost', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const events: Array<() => void> = []
  const open: OpenWatcher = (_place, onEvent) => {
    events.push(onEvent)
    return new SilentWatcher()
  }
  const told: string[] = []
  startWatch(t, path, {
    loadedContent: 'max = 0',
    open,
    onChange: () => {
      told.push(readFileSync(path, 'utf8'))
      if (told.length > 1) return
      writeFileSync(path, 'max = 2')
      events[0]!()
    }
  })
  await until('the second change', WITHIN_MS, () => told.length === 2)
  t.strictSame(told, ['max = 1', 'max = 2'])
})

t.test('a watcher that fails because its directory was deleted is no error', async (t) => {
  const path = join(t.testdir({ etc: { 'rate-limit.toml': 'max = 1' } }), 'etc/rate-limit.toml')
  const watchers = new Set<SilentWatcher>()
  const open: OpenWatcher = () => {
    const watcher = new SilentWatcher()
    watchers.add(watcher)
    return watcher
  }
  const watch = await startSettledWatch(t, path, { open })
  rmSync(dirname(path), { recursive: true })
  for (const watcher of watchers) watcher.emit('error', systemError('EPERM')) // as on Windows
  await watch.missing(1)
  t.strictSame(watch.told.errors, [])
})

t.test('a failure after close is nobody\'s concern', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const watchers: SilentWatcher[] = []
  const open: OpenWatcher = () => {
    const watcher = new SilentWatcher()
    watchers.push(watcher)
    return watcher
  }
  const watch = await startSettledWatch(t, path, { open })
  watch.close()
  t.strictSame(watchers.map(({ isClosed }) => isClosed), [true, true])
  for (const watcher of watchers) watcher.emit('error', systemError('EPERM'))
  const other = startWatch(t, path, { loadedContent: 'max = 0' })
  await other.changed('max = 1')
  t.strictSame(watch.told, { changes: [], missing: 0, errors: [] })
})
