const response = await fetch('page/data')
const state = document.createElement('pre')
state.textContent = JSON.stringify(await response.json(), null, 2)
document.body.append(state)
