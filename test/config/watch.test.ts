import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { appendFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startSettledWatch, replaceFile, swapLink, startWatch, WITHIN_MS } from '../fixtures/watched-file.js'
import { until } from '../fixtures/until.js'

t.test('a file that is written in place is told', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  for (const text of ['max = 2', 'max = 3', 'max = 10']) {
    writeFileSync(path, text)
    await watch.changed(text)
  }
  t.strictSame(watch.told, { changes: ['max = 2', 'max = 3', 'max = 10'], missing: 0, errors: [] })
})

t.test('a file that is replaced by rename is told, each time', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  for (const text of ['max = 2', 'max = 3', 'max = 4']) {
    replaceFile(path, text)
    await watch.changed(text)
  }
  writeFileSync(path, 'max = 5')
  await watch.changed('max = 5')
  t.strictSame(watch.told, { changes: ['max = 2', 'max = 3', 'max = 4', 'max = 5'], missing: 0, errors: [] })
})

t.test('an editor that moves the old file away before it writes the new one makes one change, and no missing file', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  for (const text of ['max = 2', 'max = 3']) {
    renameSync(path, `${path}~`)
    await sleep(150) // longer than it must be quiet
    writeFileSync(path, '')
    writeFileSync(path, text)
    unlinkSync(`${path}~`)
    await watch.changed(text)
  }
  t.strictSame(watch.told, { changes: ['max = 2', 'max = 3'], missing: 0, errors: [] })
})

t.test('a ConfigMap of Kubernetes is told when its ..data link is swapped', async (t) => {
  const dir = t.testdir({
    '..2026_11_24_a': { 'rate-limit.toml': 'max = 1' },
    '..data': t.fixture('symlink', '..2026_11_24_a'),
    'rate-limit.toml': t.fixture('symlink', '..data/rate-limit.toml')
  })
  const watch = await startSettledWatch(t, join(dir, 'rate-limit.toml'))
  let version = '..2026_11_24_a'
  for (const [next, text] of [['..2026_11_24_b', 'max = 2'], ['..2026_11_24_c', 'max = 3']] as const) {
    mkdirSync(join(dir, next))
    writeFileSync(join(dir, next, 'rate-limit.toml'), text)
    swapLink(next, join(dir, '..data'))
    rmSync(join(dir, version), { recursive: true })
    version = next
    await watch.changed(text)
  }
  t.strictSame(watch.told, { changes: ['max = 2', 'max = 3'], missing: 0, errors: [] })
})

t.test('a swapped link to the file is told, and so is a write to the file it leads to', async (t) => {
  const dir = t.testdir({ a: { 'one.toml': 'max = 1' }, b: { 'two.toml': 'max = 2' }, here: { 'rate-limit.toml': t.fixture('symlink', '../a/one.toml') } })
  const path = join(dir, 'here/rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  swapLink('../b/two.toml', path)
  await watch.changed('max = 2')
  writeFileSync(join(dir, 'b/two.toml'), 'max = 3')
  await watch.changed('max = 3')
  replaceFile(join(dir, 'b/two.toml'), 'max = 4')
  await watch.changed('max = 4')
  t.equal(watch.told.missing, 0)
})

t.test('a swapped link on the way to the directory is told', async (t) => {
  const dir = t.testdir({
    releases: { 1: { etc: { 'rate-limit.toml': 'max = 1' } }, 2: { etc: { 'rate-limit.toml': 'max = 2' } } },
    current: t.fixture('symlink', 'releases/1'),
    app: { config: t.fixture('symlink', '../current/etc') }
  })
  const watch = await startSettledWatch(t, join(dir, 'app/config/rate-limit.toml'))
  swapLink('releases/2', join(dir, 'current'))
  await watch.changed('max = 2')
  swapLink(join(dir, 'releases/1/etc'), join(dir, 'app/config')) // absolute
  await watch.changed('max = 1')
  t.strictSame(watch.told, { changes: ['max = 2', 'max = 1'], missing: 0, errors: [] })
})

t.test('".." behind a link means the parent of where the link leads', async (t) => {
  const dir = t.testdir({ real: { deep: {}, 'rate-limit.toml': 'max = 1' }, link: t.fixture('symlink', 'real/deep'), 'rate-limit.toml': 'not this' })
  const path = `${dir}/link/../rate-limit.toml`
  const watch = await startSettledWatch(t, path)
  replaceFile(join(dir, 'real/rate-limit.toml'), 'max = 2')
  await watch.changed('max = 2')
})

t.test('a relative path is followed from the working directory', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const watch = await startSettledWatch(t, relative(process.cwd(), path))
  replaceFile(path, 'max = 2')
  await watch.changed('max = 2')
})

t.test('a file that is deleted is told as missing once, and its return as a change', async (t) => {
  const dir = t.testdir({ 'rate-limit.toml': 'max = 1', other: 'a' })
  const path = join(dir, 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  const other = await startSettledWatch(t, join(dir, 'other'))
  unlinkSync(path)
  await watch.missing(1)
  // Makes it look at the missing file again.
  for (const text of ['b', 'c']) {
    writeFileSync(join(dir, 'other'), text)
    await other.changed(text)
  }
  t.strictSame(watch.told, { changes: [], missing: 1, errors: [] })
  writeFileSync(path, 'max = 2')
  await watch.changed('max = 2')
  unlinkSync(path)
  await watch.missing(2)
  writeFileSync(path, 'max = 2')
  await until('its return, with what it held', WITHIN_MS, () => watch.told.changes.length === 2)
  t.strictSame(watch.told, { changes: ['max = 2', 'max = 2'], missing: 2, errors: [] })
})

t.test('a file that was never there is not told as missing, only when it comes', async (t) => {
  const dir = t.testdir({ other: 'a' })
  const path = join(dir, 'rate-limit.toml')
  const watch = startWatch(t, path, { loadedContent: null })
  await startSettledWatch(t, join(dir, 'other')) // as long as its own first look takes
  writeFileSync(path, 'max = 1')
  await watch.changed('max = 1')
  t.strictSame(watch.told, { changes: ['max = 1'], missing: 0, errors: [] })
})

t.test('a directory that is deleted and created again brings its file back', async (t) => {
  const dir = t.testdir({ etc: { app: { 'rate-limit.toml': 'max = 1' } } })
  const path = join(dir, 'etc/app/rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  rmSync(dirname(path), { recursive: true })
  await watch.missing(1)
  mkdirSync(dirname(path))
  writeFileSync(path, 'max = 2')
  await watch.changed('max = 2')
  rmSync(join(dir, 'etc'), { recursive: true })
  await watch.missing(2)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, 'max = 3')
  await watch.changed('max = 3')
  // Between two looks: the new directory mostly gets the inode of the old one.
  rmSync(dirname(path), { recursive: true })
  mkdirSync(dirname(path))
  writeFileSync(path, 'max = 4')
  await watch.changed('max = 4')
  writeFileSync(path, 'max = 5')
  await watch.changed('max = 5')
  t.strictSame(watch.told, { changes: ['max = 2', 'max = 3', 'max = 4', 'max = 5'], missing: 2, errors: [] })
})

t.test('a directory that another one takes the place of is told', async (t) => {
  const dir = t.testdir({ etc: { 'rate-limit.toml': 'max = 1' }, next: { 'rate-limit.toml': 'max = 2' } })
  const path = join(dir, 'etc/rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  renameSync(join(dir, 'etc'), join(dir, 'old'))
  renameSync(join(dir, 'next'), join(dir, 'etc'))
  await watch.changed('max = 2')
  writeFileSync(path, 'max = 3')
  await watch.changed('max = 3')
  t.strictSame(watch.told, { changes: ['max = 2', 'max = 3'], missing: 0, errors: [] })
})

t.test('a file that is touched or saved unchanged is not told', async (t) => {
  const dir = t.testdir({ 'rate-limit.toml': 'max = 1', other: 'a' })
  const path = join(dir, 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  const other = await startSettledWatch(t, join(dir, 'other'))
  const doNothing = [() => utimesSync(path, 1, 1), () => replaceFile(path, 'max = 1'), () => writeFileSync(path, 'max = 1')]
  for (const [i, act] of doNothing.entries()) {
    act()
    writeFileSync(join(dir, 'other'), String(i))
    await other.changed(String(i))
  }
  writeFileSync(path, 'max = 2')
  await watch.changed('max = 2')
  t.strictSame(watch.told, { changes: ['max = 2'], missing: 0, errors: [] })
})

t.test('a change that keeps size and times is told', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  utimesSync(path, 1000, 1000)
  const watch = await startSettledWatch(t, path)
  writeFileSync(path, 'max = 2')
  utimesSync(path, 1000, 1000)
  await watch.changed('max = 2')
})

t.test('a burst of writes is told once, with the last content', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  for (let i = 2; i <= 20; i++) i % 2 === 0 ? replaceFile(path, `max = ${i}`) : writeFileSync(path, `max = ${i}`)
  await watch.changed('max = 20')
  t.strictSame(watch.told.changes, ['max = 20'])
})

t.test('500 rapid writes are told a few times, and the last content is seen', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  for (let i = 1; i <= 500; i++) await writeFile(path, `max = ${i}\n`)
  await watch.changed('max = 500\n')
  t.ok(watch.told.changes.length <= 10, `${watch.told.changes.length} times`)
})

t.test('a file that is written all the time is told all the same', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  let writes = 0
  await until('three changes', WITHIN_MS, () => {
    writeFileSync(path, `max = ${writes++}`)
    return watch.told.changes.length >= 3
  })
  t.ok(writes > watch.told.changes.length, `${writes} writes`)
})

t.test('a file beside it that is written all the time hides no change', async (t) => {
  const dir = t.testdir({ 'rate-limit.toml': 'max = 1', 'app.log': '' })
  const path = join(dir, 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  for (const text of ['max = 2', 'max = 3']) {
    replaceFile(path, text)
    await until(`a change to ${text}`, WITHIN_MS, async () => {
      await appendFile(join(dir, 'app.log'), 'a line\n')
      return watch.told.changes.at(-1) === text
    })
  }
  t.strictSame(watch.told.changes, ['max = 2', 'max = 3'])
})

t.test('a file that is emptied before it is written is not told half-way', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  truncateSync(path)
  await sleep(300) // a slow copy
  writeFileSync(path, 'max = 2')
  await watch.changed('max = 2')
  t.strictSame(watch.told, { changes: ['max = 2'], missing: 0, errors: [] })
})

t.test('a file that is written in pieces is told when it is whole', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  let text = ''
  writeFileSync(path, text)
  for (const piece of ['max', ' = ', '2', '\n', 'timeWindow', ' = ', '"1s"']) {
    text += piece
    appendFileSync(path, piece)
    await sleep(30)
  }
  await watch.changed(text)
  t.strictSame(watch.told.changes, [text])
})

t.test('an emptied file that stays empty is told', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  truncateSync(path)
  await watch.changed('')
})

t.test('what cannot be read as a file is told as a change: a directory, a link to nowhere is missing', async (t) => {
  const dir = t.testdir({ 'rate-limit.toml': 'max = 1' })
  const path = join(dir, 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  unlinkSync(path)
  mkdirSync(path)
  await watch.changed('(EISDIR)')
  rmSync(path, { recursive: true })
  symlinkSync('rate-limit.toml', path) // leads to itself
  await watch.missing(1)
  swapLink('new.toml', path)
  writeFileSync(join(dir, 'new.toml'), 'max = 2')
  await watch.changed('max = 2')
  t.strictSame(watch.told, { changes: ['(EISDIR)', 'max = 2'], missing: 1, errors: [] })
})

t.test('a file too long to be compared is told when it is written', async (t) => {
  const path = join(t.testdir({ 'rate-limit.toml': 'x'.repeat(5_000_000) }), 'rate-limit.toml')
  const watch = await startSettledWatch(t, path)
  writeFileSync(path, 'y'.repeat(5_000_000))
  await until('a change', WITHIN_MS, () => watch.told.changes.at(-1)?.startsWith('y') ?? false)
})
