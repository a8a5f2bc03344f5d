/** Tapes that the wasm backend keeps between runs. */
import { programCases } from '../tape/program.cases.ts';
import { wasmBackend } from './backend.ts';

programCases('wasm', () => wasmBackend());
