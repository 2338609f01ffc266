import { useEffect } from "preact/hooks";
import { dialog } from "../state/dialogs";
import { facts } from "../state/planes";
import { session } from "../state/session";
import { CaseList } from "./CaseList";
import { Editor } from "./Editor";
import { ExportDialog } from "./ExportDialog";
import { HistoryDialog } from "./HistoryDialog";
import { KeysDialog } from "./KeysDialog";
import { ModelDialog } from "./ModelDialog";
import { StatusLine } from "./StatusLine";

const DIALOGS = { keys: KeysDialog, history: HistoryDialog, export: ExportDialog, model: ModelDialog };

export function App() {
  const isOpen = session.value !== null && facts.value !== null;
  const name = facts.value?.name;
  useEffect(() => {
    document.title = isOpen ? `${name} – Anytomy` : "Anytomy";
  }, [isOpen, name]);
  const Shown = dialog.value === null ? null : DIALOGS[dialog.value];
  return (
    <>
      {isOpen ? <Editor /> : <CaseList />}
      <StatusLine />
      {Shown !== null && <Shown />}
    </>
  );
}
