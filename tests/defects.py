"""Which tests repeat the commands that showed the first 28 defects of durability, correctness and security.

`python -m tests.defects` runs them in one go; arguments go to pytest. Those of a second user of the machine
need root, and are skipped by name without it.
"""

import sys
from pathlib import Path

import pytest

# What the command did before -> where it is repeated: refused, or harmless.
TESTS: dict[str, tuple[str, ...]] = {
    "1 a query writes": (
        "store/test_hostile_folder.py::test_a_query_changes_no_file",
        "store/test_hostile_folder.py::test_a_query_cannot_write_the_snapshot",
        "store/test_hostile_folder.py::test_a_write_ahead_log_of_another_is_removed",
        "store/test_hostile_folder.py::test_a_log_that_changes_results_is_not_replayed",
    ),
    "2 an imported sweep runs a command": (
        "cli/test_imported_code.py",
        "records/test_consent.py",
        "sweep/test_reference.py::test_functions_of_python_itself_are_refused",
        "sweep/test_reference.py::test_a_data_set_of_python_itself_is_one_clear_error",
    ),
    "3 a shared folder leaks private files": (
        "second_user/test_shared_folder.py",
        "store/test_hostile_folder.py::test_a_linked_journal_is_not_read",
        "store/test_hostile_folder.py::test_a_macro_in_a_hostile_database_reads_no_file",
    ),
    "4 others run tasks on the local Ray": (
        "engine/test_ray_session.py::test_ray_accepts_only_local_processes_with_the_token",
        "second_user/test_local_ray.py",
    ),
    "5 a pickle of CIFAR crashes": (
        "data/test_cifar.py::test_damaged_pickles_are_named",
        "data/test_cifar.py::test_a_pickle_is_verified_before_it_is_unpickled",
    ),
    "6 the report, LaTeX and the terminal run what records contain": (
        "analysis/test_escaping.py",
        "cli/test_terminal.py::test_control_characters_become_visible",
        "second_user/test_documents.py",
    ),
    "7 small files take all memory": (
        "sweep/test_large_input.py",
        "data/test_datasets.py::test_an_idx_file_is_not_unpacked_beyond_its_size",
        "data/test_download.py::test_a_member_is_not_unpacked_beyond_its_size",
        "store/test_archive.py::test_a_sparse_file_is_not_unpacked",
        "store/test_archive.py::test_a_compressed_archive_is_not_unpacked",
    ),
    "8 links in shared data are followed": (
        "data/test_download.py::test_a_download_is_not_written_through_a_link",
        "records/test_logs.py::test_only_regular_files_among_the_logs_are_read",
    ),
    "9 one bad line stops every command": (
        "store/test_hostile_folder.py::test_a_line_that_the_database_refuses_is_skipped_and_no_other",
    ),
    "10 completed trials are repeated where no database can be made": ("cli/test_environment.py",),
    "11 a removed journal counts as recorded": (
        "records/test_journal.py::test_removing_the_file_of_a_live_writer_is_reported",
        "engine/test_run.py::test_a_journal_removed_after_its_last_record_is_reported",
    ),
    "12 the database outlives its journal": (
        "store/test_recovery.py::test_a_removed_journal_is_gone_from_the_database",
    ),
    "13 a full disk fails a trial": (
        "trial/test_runner.py::test_a_storage_error_does_not_fail_the_trial",
        "engine/test_process_faults.py::test_a_full_disk_does_not_fail_the_trial",
        "engine/test_process_faults.py::test_a_disk_that_is_full_at_the_last_append_of_a_trial",
    ),
    "14 an edited module keeps the id": (
        "sweep/test_reference.py::test_a_module_edited_after_the_sweep_was_read_is_refused",
        "sweep/test_reference.py::test_a_trial_whose_module_was_edited_gives_no_result",
    ),
    "15 bytes seen late are skipped for good": (
        "store/test_recovery.py::test_bytes_that_become_visible_late_are_read",
    ),
    "16 a failed fsync loses a record": (
        "records/test_journal.py::test_after_a_failed_fsync_the_record_is_written_again_on_a_new_line",
        "records/test_journal_model.py",
    ),
    "17 changed records are accepted": (
        "store/test_verification.py",
        "store/test_recovery.py::test_a_changed_number_is_detected",
        "store/test_recovery.py::test_a_start_with_the_configuration_of_another_trial_is_refused",
    ),
    "18 an import displaces own results": (
        "store/test_recovery.py::test_an_import_does_not_displace_the_folders_own_result",
        "store/test_recovery.py::test_two_ends_of_one_attempt_give_the_same_row_read_at_once_or_one_by_one",
    ),
    "19 a damaged checkpoint is read": ("records/test_checkpoints.py",),
    "20 a repeated trial overwrites scores": ("records/test_scores.py",),
    "21 states follow the clocks of nodes": (
        "store/test_recovery.py::test_a_failure_on_a_node_whose_clock_is_behind_counts",
    ),
    "22 a second sweep of a name replaces the first": ("records/test_manifest.py",),
    "23 tracebacks instead of exit code 3": (
        "records/test_lock.py::test_a_file_system_without_locks_gives_one_message",
        "cli/test_environment.py::test_a_folder_in_place_of_a_journal_file",
        "store/test_recovery.py::test_a_full_temporary_folder_leaves_the_old_snapshot",
        "second_user/test_shared_folder.py::test_a_reader_without_write_permission_sees_the_last_snapshot",
    ),
    "24 a deleted lock lets two drivers run": (
        "records/test_lock.py::test_a_deleted_lock_does_not_let_a_second_driver_run",
    ),
    "25 an older snapshot replaces a newer one": (
        "store/test_recovery.py::test_an_older_snapshot_never_replaces_a_newer_one",
    ),
    "26 two versions rebuild at each command": (
        "store/test_recovery.py::test_two_versions_on_one_folder_each_keep_their_database",
    ),
    "27 a killed ingest leaves its folder": (
        "store/test_recovery.py::test_the_folder_of_a_killed_ingester_is_removed",
    ),
    "28 SIGTERM to the process group records no end": (
        "engine/test_ray.py::test_a_stopped_sweep_records_the_ends_and_can_be_resumed",
    ),
}


def main() -> int:
    """Run the tests of all rows once."""
    root = Path(__file__).parent
    chosen = dict.fromkeys(test for tests in TESTS.values() for test in tests)
    return pytest.main([*sys.argv[1:], *(str(root / test) for test in chosen)])


if __name__ == "__main__":
    sys.exit(main())
