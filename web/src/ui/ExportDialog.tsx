import { useState } from "preact/hooks";
import { exported } from "../api/client";
import { sentence } from "../api/problems";
import { dialog } from "../state/dialogs";
import { facts } from "../state/planes";
import { session } from "../state/session";
import { say } from "../state/status";
import { Dialog } from "./Dialog";
import { Icon } from "./Icon";

interface Format {
  ending: string;
  words: string;
  help: string;
  /** Whether it is for volumes, for pictures, or both. */
  of: "volume" | "picture" | "both";
}

const FORMATS: readonly Format[] = [
  { ending: "nii.gz", words: "NIfTI", help: "Label map on the grid of the image", of: "volume" },
  {
    ending: "seg.nrrd",
    words: "Segmentation NRRD",
    help: "With names and colours, for 3D Slicer",
    of: "volume",
  },
  { ending: "nrrd", words: "NRRD", help: "Label map", of: "volume" },
  { ending: "seg.dcm", words: "DICOM SEG", help: "Of a DICOM series", of: "volume" },
  { ending: "mha", words: "MetaImage", help: "Label map", of: "volume" },
  { ending: "png", words: "PNG", help: "Label map, a grey value for each label", of: "picture" },
  { ending: "json", words: "COCO", help: "Objects with names, as JSON", of: "picture" },
  { ending: "tif", words: "TIFF", help: "Label map", of: "both" },
  { ending: "npz", words: "NumPy", help: "Masks by label", of: "both" },
];

export function ExportDialog() {
  const kind = facts.value?.is_volume ? "volume" : "picture";
  const offered = FORMATS.filter((each) => each.of === kind || each.of === "both");
  const [ending, choose] = useState(offered[0]?.ending ?? "");
  const [problem, tell] = useState("");
  const [busy, setBusy] = useState(false);
  const download = async () => {
    if (session.value === null) return;
    setBusy(true);
    tell("");
    try {
      const { name, blob } = await exported(session.value.id, ending);
      hand(name, blob);
      say(`Exported ${name}.`, "good");
      dialog.value = null;
    } catch (error) {
      tell(sentence(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title="Export">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void download();
        }}
      >
        <div class="formats" role="radiogroup" aria-label="Format">
          {offered.map((each) => (
            <label key={each.ending} class="format">
              <input
                type="radio"
                name="format"
                value={each.ending}
                checked={ending === each.ending}
                onChange={() => choose(each.ending)}
              />
              <span>
                <b>{each.words}</b> <code>.{each.ending}</code>
                <small>{each.help}</small>
              </span>
            </label>
          ))}
        </div>
        {problem !== "" && (
          <p class="problem" role="alert">
            <Icon name="alert" />
            {problem}
          </p>
        )}
        <div class="dialog-actions">
          <button type="submit" class="button primary" disabled={busy}>
            <Icon name="export" />
            {busy ? "Writing…" : "Download"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function hand(name: string, blob: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The download has its own hold on it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
