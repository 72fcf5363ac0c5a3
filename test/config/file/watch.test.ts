import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, unlinkSync, unwatchFile, watchFile as watchFileByNode, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { watchFile } from '../../../lib/config/file/watch.js'
import { POLL_MS, replaceFile, startWatch, WITHIN_MS } from '../../fixtures/watched-file.js'
import { until } from '../../fixtures/until.js'

function createFile (t: Test): string {
  return join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
}

t.test('each change is reported once: the difference to what was loaded, writes, a missing file, its return', async (t) => {
  const path = createFile(t)
  const watch = startWatch(t, path)
  await watch.changed('max = 1')
  writeFileSync(path, 'max = 2')
  await watch.changed('max = 2')
  replaceFile(path, 'max = 3')
  await watch.changed('max = 3')
  unlinkSync(path)
  await watch.missing(1)
  writeFileSync(path, 'max = 3')
  await until('its return', WITHIN_MS, () => watch.changes.length === 4)
  unlinkSync(path)
  await watch.missing(2)
  t.strictSame(watch.changes, ['max = 1', 'max = 2', 'max = 3', 'max = 3'])
})

t.test('".." behind a link means the parent of where the link leads', async (t) => {
  const dir = t.testdir({ real: { deep: {}, 'rate-limit.toml': 'max = 1' }, link: t.fixture('symlink', 'real/deep'), 'rate-limit.toml': 'not this' })
  const watch = startWatch(t, `${dir}/link/../rate-limit.toml`)
  await watch.changed('max = 1')
  replaceFile(join(dir, 'real/rate-limit.toml'), 'max = 2')
  await watch.changed('max = 2')
})

t.test('a watch of the application on the same file, and its end, change nothing', async (t) => {
  const path = createFile(t)
  watchFileByNode(path, { interval: 2 ** 30, persistent: false }, () => {})
  const watch = startWatch(t, path)
  await watch.changed('max = 1')
  writeFileSync(path, 'max = 2')
  await watch.changed('max = 2')
  unwatchFile(path)
  writeFileSync(path, 'max = 3')
  await watch.changed('max = 3')
})

t.test('a write by the callback is a change of its own', async (t) => {
  const path = createFile(t)
  const changes: string[] = []
  const { close } = watchFile(path, {
    loadedText: 'max = 0',
    onChange: () => {
      changes.push(readFileSync(path, 'utf8'))
      if (changes.length === 1) writeFileSync(path, 'max = 2')
    },
    pollMs: POLL_MS
  })
  t.teardown(close)
  await until('the second change', WITHIN_MS, () => changes.length === 2)
  t.strictSame(changes, ['max = 1', 'max = 2'])
})

t.test('a watch that is closed reports nothing, at whichever point of a check', async (t) => {
  const path = createFile(t)
  const before = process.getActiveResourcesInfo().length
  let isOver = false
  let early = 0
  let late = 0
  // They check in step: when the first one reports, the others are at every point of the same check.
  const watches = Array.from({ length: 100 }, () => watchFile(path, {
    loadedText: 'max = 0',
    onChange: () => {
      if (isOver) late++
      else early++
      isOver = true
      for (const watch of watches) watch.close()
    },
    pollMs: POLL_MS
  }))
  await until('the first one reports', WITHIN_MS, () => isOver)
  await until('the checks under way have ended', WITHIN_MS, () => process.getActiveResourcesInfo().length <= before)
  t.strictSame({ early, late }, { early: 1, late: 0 })
})

t.test('1000 watches that are opened and closed leave nothing behind', async (t) => {
  const path = createFile(t)
  const before = process.getActiveResourcesInfo().length
  for (let round = 0; round < 4; round++) {
    let reports = 0
    const watches = Array.from({ length: 250 }, () => watchFile(path, { loadedText: 'max = 0', onChange: () => { reports++ }, pollMs: POLL_MS }))
    // Some in their first check, some in the middle of a burst, most at rest.
    for (const watch of watches.splice(0, 50)) watch.close()
    await until('the others report', WITHIN_MS, () => reports === 200)
    for (const watch of watches) {
      watch.close()
      watch.close()
    }
  }
  await until('no resource more than before', WITHIN_MS, () => process.getActiveResourcesInfo().length <= before)
})

const ALIVE: ReadonlyArray<readonly [when: string, body: string, reports: number]> = [
  ['at rest', 'while (reports === 0) await setTimeout(10)', 1],
  ['between two checks', '', 0]
]
for (const [when, body, reports] of ALIVE) {
  t.test(`a watch ${when} does not keep the process alive`, async (t) => {
    const code = `
      import { setTimeout } from 'node:timers/promises'
      import { watchFile } from ${JSON.stringify(new URL('../../../lib/config/file/watch.js', import.meta.url).href)}
      let reports = 0
      watchFile(${JSON.stringify(createFile(t))}, { loadedText: 'max = 0', onChange () { reports++ } })
      process.on('exit', () => { process.stdout.write('reports: ' + reports) })
      ${body}`
    const child = spawn(process.execPath, [...process.execArgv, '--input-type=module', '--eval', code], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => { child.kill('SIGKILL') })
    let output = ''
    child.stdout.on('data', (chunk) => { output += chunk })
    t.strictSame(await once(child, 'close'), [0, null])
    t.equal(output, `reports: ${reports}`)
  })
}
