/** The native API: one function for each address that the page uses. */

import { refusal, UnreachableError } from "./problems";
import type {
  Axis,
  Box,
  CaseBrief,
  CaseFacts,
  HistoryEntry,
  Job,
  ModelInfo,
  Point,
  Reply,
  Saved,
  SessionState,
  Shown,
  SliceMasks,
} from "./types";

const BASE = "/api/v1";
/** Long enough for the first answer of a model that has yet to be loaded. */
const PATIENCE_MS = 120_000;

export interface PromptBody {
  label: number;
  axis: Axis;
  slice: number;
  box?: Box;
  points?: readonly Point[];
  begin?: boolean;
  model?: string;
  zoom?: string;
}

export interface DrawingBody {
  label: number;
  axis: Axis;
  slice: number;
  box: Box;
  data: string;
  mode: "add" | "erase";
}

export interface PropagationBody {
  labels?: number[];
  axis: Axis;
  range?: [number, number];
  volume: string;
  model?: string;
}

export interface LabelBody {
  name?: string;
  colour?: string;
  visible?: boolean;
  locked?: boolean;
}

type WithView<T> = T & { who?: string; show?: Shown };

export const api = {
  health: () => get<{ status: string; anytomy: string }>("/health", 5_000),
  models: () => get<ModelInfo[]>("/models"),
  cases: (fresh = false) => get<CaseBrief[]>(`/cases${fresh ? "?fresh=true" : ""}`),
  caseFacts: (id: string) => get<CaseFacts>(`/cases/${id}`),
  begin: (body: { case: string; model?: string; who?: string }) => post<SessionState>("/sessions", body),
  session: (id: string) => get<SessionState>(`/sessions/${id}`),
  look: (id: string, shown: Shown & { model?: string }) =>
    post<{ ahead: number }>(`/sessions/${id}/look`, shown),
  masks: (id: string, { axis, slice }: Shown) => get<SliceMasks>(`/sessions/${id}/masks/${axis}/${slice}`),
  prompt: (id: string, body: WithView<PromptBody>) => post<Reply>(`/sessions/${id}/prompts`, body),
  draw: (id: string, body: WithView<DrawingBody>) => post<Reply>(`/sessions/${id}/drawings`, body),
  clear: (id: string, body: WithView<{ label: number; axis?: Axis; slice?: number }>) =>
    post<Reply>(`/sessions/${id}/clear`, body),
  undo: (id: string, body: WithView<object>) => post<Reply>(`/sessions/${id}/undo`, body),
  redo: (id: string, body: WithView<object>) => post<Reply>(`/sessions/${id}/redo`, body),
  restore: (id: string, body: WithView<{ seq: number }>) => post<Reply>(`/sessions/${id}/restore`, body),
  history: (id: string, after: number) =>
    get<{ seq: number; actions: HistoryEntry[] }>(`/sessions/${id}/history?after=${after}&most=1000`),
  interpolate: (id: string, body: WithView<{ label: number; axis: Axis; range?: [number, number] }>) =>
    post<Reply>(`/sessions/${id}/interpolate`, body),
  addLabel: (id: string, body: WithView<LabelBody>) => post<Reply>(`/sessions/${id}/labels`, body),
  changeLabel: (id: string, label: number, body: WithView<LabelBody>) =>
    call<Reply>("PATCH", `/sessions/${id}/labels/${label}`, body),
  removeLabel: (id: string, label: number) => call<Reply>("DELETE", `/sessions/${id}/labels/${label}`),
  propagate: (id: string, body: WithView<PropagationBody>) => post<Job>(`/sessions/${id}/propagate`, body),
  job: (id: string) => get<Job>(`/jobs/${id}`),
  stop: (id: string, keep: boolean) => call<Job>("DELETE", `/jobs/${id}?keep=${keep}`),
  save: (id: string, body: { who?: string }) => post<Saved>(`/sessions/${id}/save`, body),
};

export function thumbnailUrl(caseId: string): string {
  return `${BASE}/cases/${caseId}/thumbnail`;
}

export function jobEventsUrl(jobId: string): string {
  return `${BASE}/jobs/${jobId}/events`;
}

/** The masks as a file, with the name that the server gives it. */
export async function exported(sessionId: string, format: string): Promise<{ name: string; blob: Blob }> {
  const answer = await send("GET", `/sessions/${sessionId}/export?format=${encodeURIComponent(format)}`);
  const named = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "");
  return { name: named?.[1] ?? `labels.${format}`, blob: await answer.blob() };
}

/** One image file becomes a case; its name stays here. */
export async function upload(file: Blob): Promise<{ case: string }> {
  const answer = await send("POST", "/uploads", file);
  return (await answer.json()) as { case: string };
}

function get<T>(path: string, patience?: number): Promise<T> {
  return call<T>("GET", path, undefined, patience);
}

function post<T>(path: string, body: object): Promise<T> {
  return call<T>("POST", path, body);
}

async function call<T>(method: string, path: string, body?: object, patience?: number): Promise<T> {
  const answer = await send(method, path, body === undefined ? undefined : JSON.stringify(body), patience);
  return (await answer.json()) as T;
}

async function send(
  method: string,
  path: string,
  body?: BodyInit,
  patience = PATIENCE_MS,
): Promise<Response> {
  const headers: HeadersInit = typeof body === "string" ? { "Content-Type": "application/json" } : {};
  let answer: Response;
  try {
    const signal = AbortSignal.timeout(patience);
    answer = await fetch(BASE + path, { method, headers, signal, ...(body === undefined ? {} : { body }) });
  } catch {
    throw new UnreachableError();
  }
  // What a proxy says when there is nothing behind it.
  if (answer.status === 502 || answer.status === 504) throw new UnreachableError();
  if (!answer.ok) throw refusal(answer.status, await answer.json().catch(() => null));
  return answer;
}

/** A volume, made smaller where it is large, for the 3D view. */
export function solidUrl(caseId: string): string {
  return `${BASE}/cases/${caseId}/solid.nii`;
}

/** The label map likewise; its state is in the address, so that no older one is taken for it. */
export function solidLabelsUrl(sessionId: string, seq: number): string {
  return `${BASE}/sessions/${sessionId}/solid.nii?seq=${seq}`;
}
