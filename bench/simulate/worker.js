// Runs the command, and prints its processor time and memory as the last line on standard error.
process.on('exit', () => {
  const { user, system } = process.cpuUsage()
  process.stderr.write(JSON.stringify({ cpuSeconds: (user + system) / 1e6, residentMiB: process.resourceUsage().maxRSS / 1024 }))
})
await import('../../dist/cli/index.js')
