import { fork, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const ANSWER_DEADLINE_MS = 180_000

const running = new Set()

process.on('exit', endChildren)
for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]]) {
  process.on(signal, () => process.exit(code))
}

/** Start a module of the bench as a process of its own, which answers questions: see `answer` in worker.js. */
export function startChild (url, { args = [], execArgv = [] } = {}) {
  const child = fork(fileURLToPath(url), args, { execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const name = [url.pathname.split('/').slice(-2).join('/'), ...args].join(' ')
  running.add(child)
  child.once('exit', () => running.delete(child))

  /** One question at a time. Rejects when the child fails, ends, or takes too long. */
  function ask (question) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(reject, new Error(`${name}: no answer in time`)), ANSWER_DEADLINE_MS)
      function onMessage ({ error, result }) {
        if (error === undefined) settle(resolve, result)
        else settle(reject, new Error(`${name}: ${error}`))
      }
      function onExit (code, signal) {
        settle(reject, new Error(`${name} ended early (${signal ?? code})`))
      }
      function settle (outcome, value) {
        clearTimeout(timer)
        child.off('message', onMessage).off('exit', onExit)
        outcome(value)
      }
      child.once('message', onMessage).once('exit', onExit)
      child.send(question)
    })
  }

  return { ask, end: () => child.kill('SIGKILL') }
}

/** Start a program that ends with the bench. */
export function startProgram (command, args) {
  const child = spawn(command, args, { stdio: 'ignore' })
  running.add(child)
  child.once('exit', () => running.delete(child))
  child.once('error', (error) => { throw new Error(`${command} does not start`, { cause: error }) })
  return { end: () => child.kill('SIGKILL') }
}

/** End whatever is still running. */
export function endChildren () {
  for (const child of running) child.kill('SIGKILL')
}
