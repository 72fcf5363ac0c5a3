process.on('exit', () => { const { user, system } = process.cpuUsage(); process.stderr.write(JSON.stringify({ c: (user + system), m: process.resourceUsage().maxRSS / 1024 })) })
await import('/work/main/dist/cli/index.js')
