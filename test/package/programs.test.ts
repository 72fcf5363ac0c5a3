// Every program of the README and the quick start, as a new user runs it: unedited, in an application that has the packed package.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseSnippets, readPage } from '../docs/snippets.js'
import { installPacked } from '../fixtures/packed.js'

t.setTimeout(240_000)

const application = mkdtempSync(join(tmpdir(), 'fastify-sluice-programs-'))
t.teardown(() => rmSync(application, { recursive: true }))
installPacked(application)

// Another program may have port 3000. The port that each gets instead is printed.
const ANY_PORT = `
  import { Server } from 'node:net'
  const { listen } = Server.prototype
  Server.prototype.listen = function (options, ...rest) {
    this.once('listening', () => console.log('listening', this.address().address, this.address().port))
    return listen.call(this, { ...options, port: 0 }, ...rest)
  }
`
writeFileSync(join(application, 'any-port.mjs'), ANY_PORT)

/** Start a program. Returns its address, and what it writes to stderr. */
async function start (t: Test, code: string): Promise<{ readonly url: string, readonly stderr: () => string }> {
  writeFileSync(join(application, 'app.mjs'), code)
  const { REDIS_URL: _, ...env } = process.env
  const child = spawn(process.execPath, ['--import', './any-port.mjs', 'app.mjs'], { cwd: application, env, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let [stdout, stderr] = ['', '']
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text })
  const listening = new Promise<string>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      const [, port] = /^listening 127\.0\.0\.1 (\d+)$/m.exec(stdout) ?? []
      if (port !== undefined) resolve(port)
    })
  })
  const port = await Promise.race([listening, once(child, 'exit').then(() => { throw new Error(`it ended: ${stderr}`) })])
  return { url: `http://127.0.0.1:${port}/`, stderr: () => stderr }
}

for (const page of ['README.md', 'docs/quick-start.md']) {
  const programs = parseSnippets(readPage(page))
  t.ok(programs.length > 1)
  for (const { heading, code } of programs) {
    t.test(`${page}: the program under "${heading}" runs, limits, and warns of nothing`, async (t) => {
      const { url, stderr } = await start(t, code)
      const response = await fetch(url)
      await response.text()
      t.match(response.headers.get('x-ratelimit-remaining'), /^\d+$/)
      t.equal(stderr(), '')
    })
  }
}
