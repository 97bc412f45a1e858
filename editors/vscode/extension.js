// Starts `runner dap` for each debug session. All that it knows of flows it hears from there.
'use strict'
const vscode = require('vscode')

const TYPE = 'flow'

class Configurations {
  /** What F5 does without a launch.json: the file that is open. */
  resolveDebugConfiguration (_folder, config) {
    const file = vscode.window.activeTextEditor?.document.uri.fsPath
    if (!config.type && !config.request && file) {
      return { type: TYPE, request: 'launch', name: 'Debug this flow', program: file }
    }
    const state = vscode.workspace.getConfiguration('flows').get('state')
    if (config.request === 'attach' && !config.state && state) config.state = state
    return config
  }
}

class Adapters {
  createDebugAdapterDescriptor (session) {
    const runner = vscode.workspace.getConfiguration('flows').get('runner') || 'runner'
    const cwd = session.workspaceFolder?.uri.fsPath
    return new vscode.DebugAdapterExecutable(runner, ['dap'], cwd ? { cwd } : undefined)
  }
}

exports.activate = context => {
  context.subscriptions.push(
    vscode.debug.registerDebugConfigurationProvider(TYPE, new Configurations()),
    vscode.debug.registerDebugAdapterDescriptorFactory(TYPE, new Adapters())
  )
}

exports.deactivate = () => {}
